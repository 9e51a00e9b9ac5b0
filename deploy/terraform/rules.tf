resource "aws_cloudwatch_event_rule" "tick" {
  for_each = local.rules

  name                = "${var.name}-${each.key}"
  description         = local.functions[each.key].about
  schedule_expression = each.value.minutes == 1 ? "rate(1 minute)" : "rate(${each.value.minutes} minutes)"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "tick" {
  for_each = local.rules

  rule  = aws_cloudwatch_event_rule.tick[each.key].name
  arn   = aws_lambda_alias.live[each.key].arn
  input = each.value.input

  retry_policy {
    maximum_event_age_in_seconds = var.async_event_age
    maximum_retry_attempts       = 5
  }

  dead_letter_config {
    arn = aws_sqs_queue.this["async-dead"].arn
  }

  depends_on = [aws_lambda_permission.tick]
}

resource "aws_lambda_permission" "tick" {
  for_each = local.rules

  statement_id  = "rule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  qualifier     = aws_lambda_alias.live[each.key].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.tick[each.key].arn
}

# ---------------------------------------------------------------- the second net

# Failed runs are told by alert-delivery. This tells when nobody is left who could: the execution itself broke.
resource "aws_cloudwatch_event_rule" "executions" {
  name        = "${var.name}-executions"
  description = "executions of ${local.state_machine_name} that did not end well"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      status          = ["TIMED_OUT", "ABORTED"]
      stateMachineArn = [local.state_machine_arn]
    }
  })
}

resource "aws_cloudwatch_event_target" "executions" {
  rule = aws_cloudwatch_event_rule.executions.name
  arn  = aws_sns_topic.this["alerts"].arn

  input_transformer {
    input_paths = {
      name   = "$.detail.name"
      status = "$.detail.status"
      arn    = "$.detail.executionArn"
    }
    input_template = "\"Interlock ${var.name}: the execution <name> ended as <status>. Somebody or something ended it, and not its run: nobody looks after that until the scheduler starts another execution. To end a run, cancel it. See its last step in the console of Step Functions (<arn>), then ask `interlock why`.\""
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.this["async-dead"].arn
  }

  depends_on = [aws_sns_topic_policy.this, aws_sqs_queue_policy.this]
}
