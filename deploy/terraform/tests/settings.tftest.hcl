# Each setting reaches what it is about, and what would do harm is refused.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package = "./functions.json"
}

run "deletion_protection_can_be_taken_off" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the variable is not used"
  }
}

run "a_key_reaches_everything_that_keeps_something" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "the table is not under the key"
  }

  assert {
    condition = (
      alltrue([for queue in aws_sqs_queue.this : queue.kms_master_key_id == var.kms_key_arn])
      && alltrue([for topic in aws_sns_topic.this : topic.kms_master_key_id == var.kms_key_arn])
    )
    error_message = "a queue or topic is not under the key"
  }

  assert {
    condition = (
      alltrue([for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.state_machine]) : group.kms_key_id == var.kms_key_arn])
      && alltrue([for function in aws_lambda_function.this : function.kms_key_arn == var.kms_key_arn])
      && aws_sfn_state_machine.pipeline.encryption_configuration[0].kms_key_id == var.kms_key_arn
    )
    error_message = "a log, a function's variables or the state machine is not under the key"
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_role_policy.function), [aws_iam_role_policy.state_machine]) : length([
        for statement in jsondecode(policy.policy).Statement : statement
        if statement.Sid == "UseKey" && statement.Resource == [var.kms_key_arn] && can(statement.Condition.StringEquals["kms:ViaService"])
      ]) == 1
    ])
    error_message = "a role cannot use the key, or can use it for itself"
  }
}

run "without_a_key_queues_are_encrypted_all_the_same" {
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.sqs_managed_sse_enabled])
    error_message = "a queue is not encrypted"
  }
}

run "settings_reach_what_they_are_about" {
  variables {
    name                 = "sales"
    table_name           = "sales-restored"
    architecture         = "x86_64"
    runtime              = "python3.12"
    log_retention_days   = 365
    longest_wait         = 60
    watchdog_minutes     = 1
    memory               = { orchestrator = 1024 }
    reserved_concurrency = { scheduler = 2 }
    environment          = { HTTPS_PROXY = "http://proxy.internal:3128" }
    stream               = { parallelization = 4, max_retries = 3 }
    alarm_actions        = ["arn:aws:sns:eu-central-1:123456789012:pager"]
    alert_subscriptions  = [{ protocol = "email", endpoint = "oncall@example.com" }]
    request_sources      = [{ service = "events", arn = "arn:aws:events:eu-central-1:123456789012:rule/landing" }]
    dashboard            = true
    tags                 = { team = "data" }
  }

  assert {
    condition     = aws_dynamodb_table.this.name == "sales-restored" && aws_lambda_function.this["api"].environment[0].variables.TABLE_NAME == "sales-restored" && aws_cloudwatch_metric_alarm.heartbeat["watchdog"].dimensions["Deployment"] == "sales-restored"
    error_message = "the table's name does not reach everybody"
  }

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : function.function_name == "sales-${name}" && function.architectures == tolist(["x86_64"]) && function.runtime == "python3.12" && function.environment[0].variables.HTTPS_PROXY == "http://proxy.internal:3128"])
    error_message = "a setting does not reach a function"
  }

  assert {
    condition     = aws_lambda_function.this["orchestrator"].memory_size == 1024 && aws_lambda_function.this["scheduler"].reserved_concurrent_executions == 2 && aws_lambda_function.this["api"].reserved_concurrent_executions == -1
    error_message = "memory or concurrency does not reach its function"
  }

  assert {
    condition     = aws_lambda_function.this["orchestrator"].environment[0].variables.LONGEST_WAIT == "60"
    error_message = "the longest wait does not reach the functions"
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.stream : mapping.parallelization_factor == 4 && mapping.maximum_retry_attempts == 3])
    error_message = "the stream's settings do not reach its readers"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.tick["watchdog"].schedule_expression == "rate(1 minute)" && aws_cloudwatch_metric_alarm.heartbeat["watchdog"].period == 60
    error_message = "the watchdog's rule and its alarm know different intervals"
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.function : group.retention_in_days == 365])
    error_message = "the retention does not reach the logs"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(alarm.alarm_actions, "arn:aws:sns:eu-central-1:123456789012:pager")]) && length(aws_sns_topic_subscription.alerts) == 1
    error_message = "somebody who should be told is not"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_sqs_queue_policy.this["requests"].policy).Statement : statement.Condition.ArnEquals["aws:SourceArn"] if statement.Effect == "Allow"]) == ["arn:aws:events:eu-central-1:123456789012:rule/landing"]
    error_message = "the source of requests is not let in, or not alone"
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 1 && aws_dynamodb_table.this.tags["team"] == "data" && aws_lambda_function.this["api"].tags["team"] == "data"
    error_message = "the dashboard or the tags are missing"
  }
}

run "what_would_do_harm_is_refused" {
  command = plan

  variables {
    name                        = "Interlock_"
    kms_key_arn                 = "arn:aws:kms:eu-central-1:123456789012:alias/mine"
    log_retention_days          = 1
    runtime                     = "python3.9"
    architecture                = "riscv"
    reserved_concurrency        = { scheduler = 0 }
    evaluator_base_url          = "http://evaluators.internal"
    glue_jobs                   = ["*"]
    emr_clusters                = ["*"]
    emr_serverless_applications = ["*"]
    step_functions              = ["*"]
    lambda_functions            = ["arn:aws:lambda:eu-central-1:123456789012:function:*"]
    secrets                     = ["*"]
    alert_prefixes              = ["bucket"]
    api_principals              = ["*"]
    api_roles                   = { "arn:aws:sts::123456789012:assumed-role/ops/*" = ["operator"] }
    request_sources             = [{ service = "events", arn = "*" }]
    stream                      = { max_retries = -1 }
  }

  expect_failures = [
    var.name, var.kms_key_arn, var.log_retention_days, var.runtime, var.architecture, var.reserved_concurrency,
    var.evaluator_base_url, var.glue_jobs, var.emr_clusters, var.emr_serverless_applications, var.step_functions,
    var.lambda_functions, var.secrets, var.alert_prefixes, var.api_principals, var.api_roles, var.request_sources, var.stream,
  ]
}

run "a_setting_of_a_function_that_is_not_there_is_refused" {
  command = plan

  variables {
    memory      = { orchestrater = 1024 }
    environment = { TABLE_NAME = "another" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_missing_package_is_refused" {
  command = plan

  variables {
    package = "./no-such-package.zip"
  }

  expect_failures = [var.package]
}
