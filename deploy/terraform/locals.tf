data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  account   = data.aws_caller_identity.current.account_id

  functions = jsondecode(file("${path.module}/functions.json"))
  alias     = "live"

  # Names and ARNs are put together here, not read from resources: functions, state machine and roles name each other.
  table_name         = coalesce(var.table_name, var.name)
  table_arn          = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.table_name}"
  indexes            = toset(["GSI1", "GSI2", "GSI3"])
  state_machine_name = "${var.name}-pipeline"
  state_machine_arn  = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.state_machine_name}"
  function_arns      = { for name in keys(local.functions) : name => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-${name}" }
  alias_arns         = { for name, arn in local.function_arns : name => "${arn}:${local.alias}" }
  topic_arns         = { for name in ["alerts", "lifecycle"] : name => "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-${name}" }
  queue_arns         = { for name in keys(local.queues) : name => "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-${name}" }
  rule_arns          = { for name in concat(keys(local.rules), ["executions"]) : name => "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-${name}" }

  # The functions that records of the stream are handed to, and those that rules call: their failures go to a queue.
  streamed = { for name, function in local.functions : name => function.filters if length(function.filters) > 0 }

  queues = {
    requests      = { kept = 4 * 86400, visible = 6 * local.functions.ingress.timeout }
    requests-dead = { kept = 14 * 86400, visible = 30 }
    failures      = { kept = 14 * 86400, visible = 30 }
    async-dead    = { kept = 14 * 86400, visible = 30 }
  }

  rules = {
    scheduler      = { minutes = 1, input = null }
    alert-delivery = { minutes = 1, input = jsonencode({ due = true }) }
    watchdog       = { minutes = var.watchdog_minutes, input = null }
  }

  values = {
    TABLE_NAME          = local.table_name
    ALERT_TOPIC_ARN     = local.topic_arns.alerts
    LIFECYCLE_TOPIC_ARN = local.topic_arns.lifecycle
    STATE_MACHINE_ARN   = local.state_machine_arn
    FAILURE_QUEUE_URL   = aws_sqs_queue.this["failures"].url
    EVALUATOR_BASE_URL  = var.evaluator_base_url
    PUBLIC_URL          = trimsuffix(var.public_url, "/")
    LONGEST_WAIT        = tostring(var.longest_wait)
    API_ROLES           = length(var.api_roles) == 0 ? "" : jsonencode(var.api_roles)
  }
}
