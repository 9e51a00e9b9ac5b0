# The module against emulators of AWS, for tests of the whole. Never for anything real: it protects nothing.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

variable "endpoint" {
  description = "Where the emulator of all services is, such as http://127.0.0.1:4566."
  type        = string
}

variable "states_endpoint" {
  description = "Where the emulator of Step Functions is, if it is another."
  type        = string
  default     = ""
}

variable "region" {
  description = "The region the emulators are asked for."
  type        = string
  default     = "us-east-1"
}

variable "name" {
  description = "As the module's."
  type        = string
  default     = "interlock-lab"
}

variable "package" {
  description = "As the module's."
  type        = string
}

variable "runtime" {
  description = "As the module's."
  type        = string
  default     = "python3.13"
}

variable "architecture" {
  description = "As the module's."
  type        = string
  default     = "x86_64"
}

variable "environment" {
  description = "As the module's: where functions find the emulators."
  type        = map(string)
  default     = {}
}

variable "longest_wait" {
  description = "As the module's."
  type        = number
  default     = 10
}

variable "evaluator_base_url" {
  description = "As the module's."
  type        = string
  default     = ""
}

variable "kms_key_arn" {
  description = "As the module's."
  type        = string
  default     = null
}

variable "triggers" {
  description = "What may be started, as the module's variables of the same names."
  type = object({
    glue_jobs        = optional(list(string), [])
    step_functions   = optional(list(string), [])
    lambda_functions = optional(list(string), [])
    secrets          = optional(list(string), [])
  })
  default = {}
}

locals {
  states_endpoint = var.states_endpoint == "" ? var.endpoint : var.states_endpoint
}

provider "aws" {
  region                      = var.region
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  s3_use_path_style           = true
  max_retries                 = 5

  endpoints {
    cloudwatch     = var.endpoint
    cloudwatchlogs = var.endpoint
    dynamodb       = var.endpoint
    events         = var.endpoint
    iam            = var.endpoint
    kms            = var.endpoint
    lambda         = var.endpoint
    sfn            = local.states_endpoint
    sns            = var.endpoint
    sqs            = var.endpoint
    sts            = var.endpoint
  }
}

module "interlock" {
  source = "../.."

  name                = var.name
  package             = var.package
  runtime             = var.runtime
  architecture        = var.architecture
  environment         = var.environment
  longest_wait        = var.longest_wait
  evaluator_base_url  = var.evaluator_base_url
  kms_key_arn         = var.kms_key_arn
  deletion_protection = false
  dashboard           = true
  tracing             = true

  glue_jobs        = var.triggers.glue_jobs
  step_functions   = var.triggers.step_functions
  lambda_functions = var.triggers.lambda_functions
  secrets          = var.triggers.secrets
}

output "interlock" {
  description = "All outputs of the module."
  value       = module.interlock
}
