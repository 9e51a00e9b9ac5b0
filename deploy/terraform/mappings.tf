# A stream has room for two readers. These are they.
resource "aws_lambda_event_source_mapping" "stream" {
  for_each = local.streamed

  event_source_arn                   = aws_dynamodb_table.this.stream_arn
  function_name                      = aws_lambda_alias.live[each.key].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.stream.batch_size
  maximum_batching_window_in_seconds = var.stream.window
  parallelization_factor             = var.stream.parallelization
  maximum_retry_attempts             = var.stream.max_retries
  maximum_record_age_in_seconds      = var.stream.max_age
  bisect_batch_on_function_error     = true
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  filter_criteria {
    dynamic "filter" {
      for_each = each.value

      content {
        pattern = jsonencode(filter.value)
      }
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.this["failures"].arn
    }
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_event_source_mapping" "requests" {
  event_source_arn        = aws_sqs_queue.this["requests"].arn
  function_name           = aws_lambda_alias.live["ingress"].arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  scaling_config {
    maximum_concurrency = var.requests_concurrency
  }

  depends_on = [aws_iam_role_policy.function]
}
