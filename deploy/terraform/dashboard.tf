locals {
  # Title by metrics, three graphs in a row.
  graphs = [
    { title = "Executions", stat = "Sum", metrics = [for metric in ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"] : ["AWS/States", metric, "StateMachineArn", local.state_machine_arn]] },
    { title = "Errors", stat = "Sum", metrics = [for name in keys(local.functions) : ["AWS/Lambda", "Errors", "FunctionName", "${var.name}-${name}"]] },
    { title = "Duration", stat = "Maximum", metrics = [for name in keys(local.functions) : ["AWS/Lambda", "Duration", "FunctionName", "${var.name}-${name}"]] },
    { title = "Behind the stream", stat = "Maximum", metrics = [for name in keys(local.streamed) : ["AWS/Lambda", "IteratorAge", "FunctionName", "${var.name}-${name}"]] },
    { title = "Queues", stat = "Maximum", metrics = [for name in keys(local.queues) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-${name}"]] },
    { title = "Table", stat = "Sum", metrics = [for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"] : ["AWS/DynamoDB", metric, "TableName", local.table_name]] },
    { title = "Rounds", stat = "Sum", metrics = [for beat in values(local.heartbeats) : ["Interlock", beat.metric, "Deployment", local.table_name]] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type       = "alarm"
        x          = 0
        y          = 0
        width      = 24
        height     = 4
        properties = { title = "Alarms", alarms = local.alarm_arns }
      }],
      [for number, graph in local.graphs : {
        type   = "metric"
        x      = 8 * (number % 3)
        y      = 4 + 6 * floor(number / 3)
        width  = 8
        height = 6
        properties = {
          title   = graph.title
          region  = local.region
          stat    = graph.stat
          period  = 300
          metrics = graph.metrics
        }
      }],
    )
  })
}
