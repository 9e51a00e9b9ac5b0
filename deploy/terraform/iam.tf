# What each role may do, as data: who is granted what stands in `grants`.

locals {
  read_table = {
    Sid      = "ReadTable"
    Effect   = "Allow"
    Action   = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"]
    Resource = [local.table_arn, "${local.table_arn}/index/*"]
  }

  # There is no Scan, and no UpdateItem: the store calls neither. Items are only ever replaced under a condition.
  write_table = {
    Sid      = "WriteTable"
    Effect   = "Allow"
    Action   = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem"]
    Resource = [local.table_arn]
  }

  read_stream = {
    Sid      = "ReadStream"
    Effect   = "Allow"
    Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    Resource = ["${local.table_arn}/stream/*"]
  }

  keep_failures = {
    Sid      = "KeepFailures"
    Effect   = "Allow"
    Action   = ["sqs:SendMessage"]
    Resource = [local.queue_arns["failures"]]
  }

  keep_lost_events = {
    Sid      = "KeepLostEvents"
    Effect   = "Allow"
    Action   = ["sqs:SendMessage"]
    Resource = [local.queue_arns["async-dead"]]
  }

  # Who tells people: delivery, and those who must be able to when delivery is out of order, or who answer for it at once.
  tell = {
    Sid      = "Tell"
    Effect   = "Allow"
    Action   = ["sns:Publish"]
    Resource = values(local.topic_arns)
  }

  start_executions = {
    Sid      = "StartExecutions"
    Effect   = "Allow"
    Action   = ["states:StartExecution"]
    Resource = [local.state_machine_arn]
  }

  # Secrets are read where something outside is spoken to: by evaluators, triggers and sinks.
  read_secrets = concat(
    [for arns in [var.secrets] : {
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = arns
    } if length(arns) > 0],
    [for arns in [var.foreign_kms_key_arns] : {
      Sid      = "ReadUnderForeignKeys"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = arns
    } if length(arns) > 0],
  )

  grants = {
    orchestrator = [local.read_table, local.write_table]
    evaluator    = concat([local.read_table], local.read_secrets)
    trigger      = concat([local.read_table, local.write_table], local.read_secrets, local.start_jobs)
    run-checker  = concat([local.read_table, local.write_table], local.read_secrets, local.look_at_jobs)
    stream-router = [
      local.read_table, local.write_table, local.read_stream, local.keep_failures, local.start_executions,
      {
        Sid      = "WakeExecutions"
        Effect   = "Allow"
        Action   = ["states:SendTaskSuccess"]
        Resource = [local.state_machine_arn]
      },
    ]
    alert-delivery = concat(
      [local.read_table, local.write_table, local.read_stream, local.keep_failures, local.keep_lost_events],
      [local.tell],
      [for places in [var.alert_prefixes] : {
        Sid      = "KeepAlerts"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = [for place in places : "arn:${local.partition}:s3:::${trimsuffix(place, "/")}/*"]
      } if length(places) > 0],
      [for arns in [var.foreign_kms_key_arns] : {
        Sid      = "WriteUnderForeignKeys"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = arns
      } if length(arns) > 0 && length(var.alert_prefixes) > 0],
      local.read_secrets,
    )
    scheduler = [
      local.read_table, local.write_table, local.keep_lost_events, local.start_executions,
      {
        Sid      = "GoOn"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [local.alias_arns["scheduler"]]
      },
    ]
    watchdog = [local.read_table, local.write_table, local.keep_lost_events, local.tell]
    ingress = [
      local.read_table, local.write_table, local.keep_failures, local.tell,
      {
        Sid      = "TakeRequests"
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = [local.queue_arns["requests"]]
      },
    ]
    api = [local.read_table, local.write_table, local.tell]
  }

  # What every function may besides: write its own log, use the key, be traced, have a network interface.
  common = { for name in keys(local.functions) : name => concat(
    [{
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}-${name}:*"]
    }],
    local.use_key,
    local.trace,
    local.network,
    [for vpc in var.vpc[*] : {
      Sid       = "NoNetworkForCode"
      Effect    = "Deny"
      Action    = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
      Resource  = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"]
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arns[name] } }
    }],
  ) }

  use_key = [for arn in var.kms_key_arn[*] : {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    Resource = [arn]
    Condition = {
      StringEquals = { "kms:ViaService" = [for service in ["dynamodb", "lambda", "sns", "sqs", "states"] : "${service}.${local.region}.amazonaws.com"] }
    }
  }]

  # AWS knows no resource for the actions of this and the next, so they are allowed on `*`: the README tells of each.
  trace = [for wanted in [var.tracing] : {
    Sid      = "Trace"
    Effect   = "Allow"
    Action   = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    Resource = ["*"]
  } if wanted]

  network = flatten([for vpc in var.vpc[*] : [
    {
      Sid      = "SeeNetwork"
      Effect   = "Allow"
      Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      Resource = ["*"]
    },
    {
      Sid      = "JoinNetwork"
      Effect   = "Allow"
      Action   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
      Resource = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"]
    },
  ]])
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = "${var.name}-${each.key}-${local.region}"
  description          = "${each.key}: ${each.value.about}"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "what-it-does"
  role   = aws_iam_role.function[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(local.grants[each.key], local.common[each.key]) })
}

# ---------------------------------------------------------------- the state machine

resource "aws_iam_role" "state_machine" {
  name                 = "${var.name}-pipeline-${local.region}"
  description          = "the state machine ${local.state_machine_name}"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        ArnLike      = { "aws:SourceArn" = local.state_machine_arn }
        StringEquals = { "aws:SourceAccount" = local.account }
      }
    }]
  })
}

resource "aws_iam_role_policy" "state_machine" {
  name = "what-it-does"
  role = aws_iam_role.state_machine.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "CallFunctions"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = [for name in ["orchestrator", "evaluator", "trigger", "run-checker"] : local.alias_arns[name]]
        },
        {
          Sid      = "Park"
          Effect   = "Allow"
          Action   = ["dynamodb:ConditionCheckItem", "dynamodb:PutItem"]
          Resource = [local.table_arn]
          Condition = {
            "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["PARKED#*", "SLOT#*"] }
          }
        },
        local.start_executions,
        # Deliveries of logs are of the account, not of a log group: AWS allows these actions on `*` alone.
        {
          Sid    = "DeliverLogs"
          Effect = "Allow"
          Action = [
            "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
          ]
          Resource = ["*"]
        },
      ],
      local.use_key,
      local.trace,
    )
  })
}
