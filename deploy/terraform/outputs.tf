output "table_name" {
  description = "The table: `dynamodb.tableName` of a project that looks at this deployment."
  value       = aws_dynamodb_table.this.name
}

output "table_arn" {
  description = "The ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "stream_arn" {
  description = "The ARN of the table's stream. Both of its readers are taken."
  value       = aws_dynamodb_table.this.stream_arn
}

output "state_machine_arn" {
  description = "The ARN of the state machine."
  value       = aws_sfn_state_machine.pipeline.arn
}

output "alert_topic_arn" {
  description = "The topic of alerts and alarms."
  value       = aws_sns_topic.this["alerts"].arn
}

output "lifecycle_topic_arn" {
  description = "The topic that says what became of runs."
  value       = aws_sns_topic.this["lifecycle"].arn
}

output "requests_queue_url" {
  description = "The queue that takes requests: markers, sensors, reruns, replays, reports of jobs."
  value       = aws_sqs_queue.this["requests"].url
}

output "requests_queue_arn" {
  description = "The ARN of that queue, for policies of who sends requests."
  value       = aws_sqs_queue.this["requests"].arn
}

output "dead_letter_queue_urls" {
  description = "Where lies what could not be done: requests-dead, failures (records of the stream), async-dead (events of rules)."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.url if name != "requests" }
}

output "api_url" {
  description = "The address of the API. Requests are signed for the service `lambda`."
  value       = aws_lambda_function_url.api.function_url
}

output "api_caller_policy_arn" {
  description = "A policy for roles of this account that call the API: both rights that AWS wants of them."
  value       = aws_iam_policy.api_caller.arn
}

output "function_names" {
  description = "The functions' names in AWS, by their names in Interlock."
  value       = { for name, function in aws_lambda_function.this : name => function.function_name }
}

output "function_versions" {
  description = "Which version of each function is live."
  value       = { for name, alias in aws_lambda_alias.live : name => alias.function_version }
}

output "role_arns" {
  description = "The functions' roles, for policies of secrets, buckets and keys elsewhere."
  value       = { for name, role in aws_iam_role.function : name => role.arn }
}

output "alarm_arns" {
  description = "Every alarm."
  value       = local.alarm_arns
}

locals {
  alarm_arns = concat(
    [for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.heartbeat : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.sum : alarm.arn],
  )
}
