# Every alarm's description says what happened, what it means and what to do; the README has the longer answers.

locals {
  function_alarms = merge([for name, function in local.functions : {
    "${name}-errors" = {
      about      = "${name} failed. What it was doing is tried again, then kept in a queue; until then it does not happen. See its log, /aws/lambda/${var.name}-${name}."
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = "${var.name}-${name}" }
      statistic  = "Sum"
      above      = 0
      minutes    = 5
      periods    = 1
    }
    "${name}-throttles" = {
      about      = "${name} was not let run: the account's or its own limit of concurrency is reached, and runs are late. Raise the limit, or reserve some for it."
      namespace  = "AWS/Lambda"
      metric     = "Throttles"
      dimensions = { FunctionName = "${var.name}-${name}" }
      statistic  = "Sum"
      above      = 0
      minutes    = 5
      periods    = 2
    }
    "${name}-duration" = {
      about      = "${name} took more than 80 % of its ${function.timeout} seconds. Soon it will be cut off in the middle. Look for what became slow: an evaluator, a job's service, the table."
      namespace  = "AWS/Lambda"
      metric     = "Duration"
      dimensions = { FunctionName = "${var.name}-${name}" }
      statistic  = "Maximum"
      above      = 800 * function.timeout
      minutes    = 5
      periods    = 1
    }
  }]...)

  delivery_alarms = merge(
    { for name in keys(local.streamed) : "${name}-iterator-age" => {
      about      = "${name} is behind the table's stream: runs are begun, woken or told of late, and after ${var.stream.max_age} seconds records go to the failure queue. See its errors and throttles first."
      namespace  = "AWS/Lambda"
      metric     = "IteratorAge"
      dimensions = { FunctionName = "${var.name}-${name}" }
      statistic  = "Maximum"
      above      = 1000 * var.alarm_iterator_age
      minutes    = 1
      periods    = 5
    } },
    { for name in distinct(concat(keys(local.streamed), keys(local.rules))) : "${name}-lost" => {
      about      = "What ${name} could not handle could not be kept in its queue either, and is lost. Its role may not write there, or the queue is gone: run terraform plan."
      namespace  = "AWS/Lambda"
      metric     = "DestinationDeliveryFailures"
      dimensions = { FunctionName = "${var.name}-${name}" }
      statistic  = "Sum"
      above      = 0
      minutes    = 5
      periods    = 1
    } },
  )

  # What Lambda itself puts there after its retries is no record, but where the stream has it.
  waiting_there = {
    requests-dead = "Requests that failed five times lie in ${var.name}-requests-dead. Read them and the log of ingress, mend the cause, and start a redrive."
    failures      = "Something lies in ${var.name}-failures that nobody could use. A message with a reason says what it was: mend its writer, send it again if it is still wanted. One with DDBStreamBatchInfo has only the shard and the numbers of records that a function gave up: its log has the error; runs and alerts are found again by the table, a marker has to be written again. Then delete them."
    async-dead    = "A round of scheduler, watchdog or delivery, or word of an execution that was ended, lies in ${var.name}-async-dead: it failed too often. The next round does the work of a lost one. Read why, then delete it."
  }

  queue_alarms = merge(
    { for name in setsubtract(keys(local.queues), ["requests"]) : "${name}-depth" => {
      about      = local.waiting_there[name]
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = "${var.name}-${name}" }
      statistic  = "Maximum"
      above      = 0
      minutes    = 5
      periods    = 1
    } },
    { for name, queue in local.queues : "${name}-age" => {
      about      = name == "requests" ? "Requests wait in ${var.name}-requests for more than five minutes: ingress fails, is throttled or is switched off. Markers and reports of jobs are late." : "The oldest message in ${var.name}-${name} is deleted by SQS within two days. Read it before."
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = "${var.name}-${name}" }
      statistic  = "Maximum"
      above      = name == "requests" ? 300 : queue.kept - 2 * 86400
      minutes    = 5
      periods    = 1
    } },
  )

  execution_alarms = { for metric, what in {
    ExecutionsFailed   = "failed: the run failed, of which there is an alert of its own, or the execution broke"
    ExecutionsTimedOut = "ran longer than the state machine allows"
    ExecutionsAborted  = "were stopped by somebody; cancel runs with `interlock cancel` instead"
    ExecutionThrottled = "were not let start or go on: the account's limits of Step Functions are reached. Ask AWS for more"
    } : "pipeline-${metric}" => {
    about      = "Executions of ${local.state_machine_name} ${what}. The scheduler looks after runs without an execution; `interlock why` says how each stands."
    namespace  = "AWS/States"
    metric     = metric
    dimensions = { StateMachineArn = local.state_machine_arn }
    statistic  = "Sum"
    above      = 0
    minutes    = 5
    periods    = 1
  } }

  topic_alarms = { for name in keys(local.topic_arns) : "${name}-undelivered" => {
    about      = "Messages of the topic ${var.name}-${name} did not reach a subscriber. Check its subscriptions, and the address behind each."
    namespace  = "AWS/SNS"
    metric     = "NumberOfNotificationsFailed"
    dimensions = { TopicName = "${var.name}-${name}" }
    statistic  = "Sum"
    above      = 0
    minutes    = 5
    periods    = 1
  } }

  alarms = merge(local.function_alarms, local.delivery_alarms, local.queue_alarms, local.execution_alarms, local.topic_alarms)

  # The functions count each of their rounds. No count is the alarm: whatever stopped them, nobody else would say so.
  heartbeats = {
    scheduler = { metric = "SchedulerTick", minutes = 1, periods = 5, what = "no slot is opened, and a run that has lost its execution stays where it is" }
    watchdog  = { metric = "WatchdogScan", minutes = var.watchdog_minutes, periods = 3, what = "nobody notices what did not happen: late data, missed runs, jobs that hang" }
  }

  # Sums over several metrics: alarms of one metric each would be eight and six.
  sums = {
    table-throttles = {
      about = "DynamoDB slowed reads or writes of ${local.table_name} down: calls are tried again, and everything is late. If it lasts, see which partition is hot (CloudWatch contributor insights) and the account's limits."
      metrics = [for pair in setproduct(["ReadThrottleEvents", "WriteThrottleEvents"], concat([""], tolist(local.indexes))) : {
        metric     = pair[0]
        dimensions = merge({ TableName = local.table_name }, pair[1] == "" ? {} : { GlobalSecondaryIndexName = pair[1] })
      }]
    }
    table-errors = {
      about = "DynamoDB answered with errors of its own for ${local.table_name}. Calls are tried again; if it lasts, see the AWS Health dashboard."
      metrics = [for operation in ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems"] : {
        metric     = "SystemErrors"
        dimensions = { TableName = local.table_name, Operation = operation }
      }]
    }
  }

  alarm_actions = concat([aws_sns_topic.this["alerts"].arn], var.alarm_actions)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.about
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60 * each.value.minutes
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  for_each = local.heartbeats

  alarm_name          = "${var.name}-${each.key}-silent"
  alarm_description   = "${each.key} has not gone its round for ${each.value.minutes * each.value.periods} minutes: ${each.value.what}. See its rule, its log and its errors."
  namespace           = "Interlock"
  metric_name         = each.value.metric
  dimensions          = { Deployment = local.table_name }
  statistic           = "Sum"
  period              = 60 * each.value.minutes
  evaluation_periods  = each.value.periods
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "sum" {
  for_each = local.sums

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.about
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = var.tags

  metric_query {
    id          = "all"
    label       = each.key
    expression  = "SUM(METRICS())"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = "m${metric_query.key}"
      return_data = false

      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = metric_query.value.metric
        dimensions  = metric_query.value.dimensions
        stat        = "Sum"
        period      = 300
      }
    }
  }
}
