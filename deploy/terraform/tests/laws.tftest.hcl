# What must hold of every deployment, whatever its settings. Nothing is called: the provider is a mock.

mock_provider "aws" {
  source = "./tests/mocks"
}

# functions.json stands in for the package here: any file has a digest.
variables {
  package = "./functions.json"
}

run "as_it_comes" {
  assert {
    condition     = length(aws_lambda_function.this) >= 10 && toset(keys(aws_lambda_function.this)) == toset(keys(jsondecode(file("./functions.json"))))
    error_message = "the functions are not those of functions.json"
  }

  assert {
    condition = alltrue([
      for name, function in jsondecode(file("./functions.json")) :
      toset(keys(aws_lambda_function.this[name].environment[0].variables)) == toset(function.environment)
    ])
    error_message = "a function has a variable that functions.json does not name, or lacks one that it names"
  }

  assert {
    condition = alltrue(flatten([
      for function in aws_lambda_function.this : [
        for name in ["TABLE_NAME", "STATE_MACHINE_ARN", "FAILURE_QUEUE_URL", "ALERT_TOPIC_ARN", "LIFECYCLE_TOPIC_ARN", "LONGEST_WAIT"] :
        lookup(function.environment[0].variables, name, "absent") != ""
      ]
    ]))
    error_message = "a function is given nothing where it needs something"
  }

  assert {
    condition = alltrue([
      for name, function in jsondecode(file("./functions.json")) :
      aws_lambda_function.this[name].handler == function.handler
      && aws_lambda_function.this[name].timeout == function.timeout
      && aws_lambda_function.this[name].memory_size == function.memory
    ])
    error_message = "handler, timeout or memory of a function is not that of functions.json"
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.publish]) && alltrue([for alias in aws_lambda_alias.live : alias.name == "live" && alias.function_version == "1"])
    error_message = "a function is not published, or its alias shows no published version"
  }

  # ---------------------------------------------------------------- the table

  assert {
    condition = (
      aws_dynamodb_table.this.hash_key == "PK" && aws_dynamodb_table.this.range_key == "SK"
      && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
      && aws_dynamodb_table.this.stream_enabled && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
      && aws_dynamodb_table.this.ttl[0].enabled && aws_dynamodb_table.this.ttl[0].attribute_name == "ttl"
      && aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    )
    error_message = "the table is not what the store expects"
  }

  assert {
    condition = toset([for index in aws_dynamodb_table.this.global_secondary_index : "${index.name} ${index.hash_key} ${index.range_key} ${index.projection_type}"]) == toset([
      "GSI1 GSI1PK GSI1SK KEYS_ONLY", "GSI2 GSI2PK GSI2SK KEYS_ONLY", "GSI3 GSI3PK GSI3SK KEYS_ONLY",
    ])
    error_message = "the indexes are not what the store expects"
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the table can be deleted by accident"
  }

  # ---------------------------------------------------------------- the stream and the queue

  assert {
    condition = alltrue([
      for name, function in jsondecode(file("./functions.json")) :
      length(function.filters) == 0 ? !contains(keys(aws_lambda_event_source_mapping.stream), name) : (
        toset([for filter in aws_lambda_event_source_mapping.stream[name].filter_criteria[0].filter : jsonencode(jsondecode(filter.pattern))])
        == toset([for filter in function.filters : jsonencode(filter)])
      )
    ])
    error_message = "what a function is handed of the stream is not what functions.json says"
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.stream :
      mapping.starting_position == "TRIM_HORIZON" && mapping.bisect_batch_on_function_error
      && mapping.maximum_retry_attempts >= 0 && mapping.maximum_record_age_in_seconds > 0
      && mapping.function_response_types == toset(["ReportBatchItemFailures"])
      && mapping.destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.this["failures"].arn
    ])
    error_message = "a record that cannot be handled could stop its shard, or be lost"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.requests.function_response_types == toset(["ReportBatchItemFailures"]) && aws_lambda_event_source_mapping.requests.scaling_config[0].maximum_concurrency >= 2
    error_message = "one bad request would hold back the others of its batch"
  }

  assert {
    condition = (
      jsondecode(aws_sqs_queue_redrive_policy.requests.redrive_policy).deadLetterTargetArn == aws_sqs_queue.this["requests-dead"].arn
      && aws_sqs_queue.this["requests"].visibility_timeout_seconds >= 6 * aws_lambda_function.this["ingress"].timeout
    )
    error_message = "a request that cannot be handled comes back for ever, or twice while it is handled"
  }

  # ---------------------------------------------------------------- rules

  assert {
    condition = (
      aws_cloudwatch_event_rule.tick["scheduler"].schedule_expression == "rate(1 minute)"
      && aws_cloudwatch_event_rule.tick["alert-delivery"].schedule_expression == "rate(1 minute)"
      && aws_cloudwatch_event_rule.tick["watchdog"].schedule_expression == "rate(5 minutes)"
      && jsondecode(aws_cloudwatch_event_target.tick["alert-delivery"].input) == { due = true }
    )
    error_message = "a function is not called when it should be"
  }

  assert {
    condition = alltrue([
      for target in concat(values(aws_cloudwatch_event_target.tick), [aws_cloudwatch_event_target.executions]) :
      target.dead_letter_config[0].arn == aws_sqs_queue.this["async-dead"].arn && target.retry_policy[0].maximum_retry_attempts > 0
    ])
    error_message = "an event of a rule could be lost without a trace"
  }

  assert {
    condition = keys(aws_lambda_function_event_invoke_config.this) == keys(aws_cloudwatch_event_rule.tick) && alltrue([
      for config in aws_lambda_function_event_invoke_config.this :
      config.qualifier == "live" && config.destination_config[0].on_failure[0].destination == aws_sqs_queue.this["async-dead"].arn
    ])
    error_message = "an event that a function failed on could be lost without a trace"
  }

  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.executions.event_pattern).detail.status == ["TIMED_OUT", "ABORTED"]
      && jsondecode(aws_cloudwatch_event_rule.executions.event_pattern).detail.stateMachineArn == ["arn:aws:states:eu-central-1:123456789012:stateMachine:interlock-pipeline"]
      && aws_cloudwatch_event_target.executions.arn == aws_sns_topic.this["alerts"].arn
    )
    error_message = "nobody is told of an execution that broke"
  }

  # ---------------------------------------------------------------- the state machine, logs, the API

  assert {
    condition = (
      aws_sfn_state_machine.pipeline.type == "STANDARD"
      && aws_sfn_state_machine.pipeline.logging_configuration[0].level == "ERROR"
      && !aws_sfn_state_machine.pipeline.logging_configuration[0].include_execution_data
    )
    error_message = "executions are not logged, or their data is"
  }

  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.state_machine]) : group.retention_in_days == 90])
    error_message = "a log is kept for ever, or not long enough"
  }

  assert {
    condition     = aws_lambda_function_url.api.authorization_type == "AWS_IAM" && length(aws_lambda_permission.api) == 0
    error_message = "the API is open to somebody who was not named"
  }

  # ---------------------------------------------------------------- alarms

  assert {
    condition = alltrue(flatten([
      for name in keys(jsondecode(file("./functions.json"))) : [
        for kind in ["errors", "throttles", "duration"] :
        aws_cloudwatch_metric_alarm.this["${name}-${kind}"].dimensions == tomap({ FunctionName = aws_lambda_function.this[name].function_name })
      ]
    ]))
    error_message = "a function has no alarm"
  }

  assert {
    condition = alltrue([
      for name, function in jsondecode(file("./functions.json")) :
      aws_cloudwatch_metric_alarm.this["${name}-duration"].threshold == 800 * function.timeout
    ])
    error_message = "the alarm of a slow function comes too late, or always"
  }

  assert {
    condition     = alltrue([for name in keys(aws_lambda_event_source_mapping.stream) : aws_cloudwatch_metric_alarm.this["${name}-iterator-age"].threshold == 60000])
    error_message = "nobody is told that a function is behind the stream"
  }

  assert {
    condition     = alltrue([for name, queue in aws_sqs_queue.this : aws_cloudwatch_metric_alarm.this["${name}-age"].threshold < queue.message_retention_seconds])
    error_message = "messages could be deleted before anybody is told of them"
  }

  assert {
    condition     = alltrue([for name in ["requests-dead", "failures", "async-dead"] : aws_cloudwatch_metric_alarm.this["${name}-depth"].threshold == 0])
    error_message = "nobody is told of what lies in a queue of failures"
  }

  assert {
    condition     = alltrue([for metric in ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"] : aws_cloudwatch_metric_alarm.this["pipeline-${metric}"].metric_name == metric])
    error_message = "nobody is told of executions that went wrong"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.sum["table-throttles"].metric_query) == 9 && length(aws_cloudwatch_metric_alarm.sum["table-errors"].metric_query) == 7
    error_message = "the table or one of its indexes has no alarm"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.heartbeat["watchdog"].metric_name == "WatchdogScan"
      && aws_cloudwatch_metric_alarm.heartbeat["scheduler"].metric_name == "SchedulerTick"
      && alltrue([for alarm in aws_cloudwatch_metric_alarm.heartbeat : alarm.namespace == "Interlock" && alarm.treat_missing_data == "breaching" && alarm.dimensions == tomap({ Deployment = aws_dynamodb_table.this.name })])
    )
    error_message = "a watchdog or scheduler that stopped would not be noticed"
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.heartbeat), values(aws_cloudwatch_metric_alarm.sum)) :
      contains(alarm.alarm_actions, aws_sns_topic.this["alerts"].arn) && length(alarm.alarm_description) <= 1024
    ])
    error_message = "an alarm tells nobody"
  }
}
