# Everything that can be set up: a key of one's own, a network, jobs that may be started, callers of the API.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where it runs."
  type        = string
  default     = "eu-central-1"
}

variable "package" {
  description = "The path of the zip file that `make lambda` built."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, with a way to the services of AWS: a NAT gateway, or endpoints."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups that let https out."
  type        = list(string)
}

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

locals {
  name    = "sales"
  account = data.aws_caller_identity.current.account_id
  arn     = "arn:${data.aws_partition.current.partition}"

  landing_rule_arn = "${local.arn}:events:${var.region}:${local.account}:rule/sales-landing"
  ops_role_arn     = "${local.arn}:iam::${local.account}:role/ops"
}

module "interlock" {
  source = "../.."

  name        = local.name
  package     = var.package
  kms_key_arn = aws_kms_key.interlock.arn
  tags        = { team = "data", service = "interlock" }

  vpc = {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  log_retention_days   = 365
  tracing              = true
  dashboard            = true
  reserved_concurrency = { evaluator = 50, scheduler = 5 }
  evaluator_base_url   = "https://evaluators.example.com"

  glue_jobs                      = ["daily-sales"]
  emr_serverless_applications    = ["00f1abcdexample0"]
  emr_serverless_execution_roles = ["${local.arn}:iam::${local.account}:role/emr-serverless-job"]
  step_functions                 = ["${local.arn}:states:${var.region}:${local.account}:stateMachine:load-sales"]
  lambda_functions               = ["${local.arn}:lambda:${var.region}:${local.account}:function:load-sales"]
  secrets                        = ["${local.arn}:secretsmanager:${var.region}:${local.account}:secret:airflow-AbCdEf"]
  alert_prefixes                 = ["ops-archive/interlock"]

  request_sources = [{ service = "events", arn = local.landing_rule_arn }]
  api_principals  = [local.ops_role_arn]
  api_roles       = { "${local.arn}:sts::${local.account}:assumed-role/ops/*" = ["operate"] }

  alert_subscriptions = [
    { protocol = "email", endpoint = "oncall@example.com" },
    { protocol = "https", endpoint = "https://pager.example.com/sns" },
  ]
}

# What the key must allow to services. Roles of the module are allowed by their own policies, through the first statement.
resource "aws_kms_key" "interlock" {
  description         = "all that Interlock keeps"
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "PoliciesOfThisAccount"
        Effect    = "Allow"
        Principal = { AWS = "${local.arn}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "AlarmsAndRulesToTopicsAndQueues"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "${local.arn}:logs:${var.region}:${local.account}:log-group:/aws/lambda/${local.name}-*",
              "${local.arn}:logs:${var.region}:${local.account}:log-group:/aws/vendedlogs/states/${local.name}-*",
            ]
          }
        }
      },
      {
        Sid       = "LogsOfExecutions"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = "kms:Decrypt"
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

output "interlock" {
  description = "All outputs of the module."
  value       = module.interlock
}
