resource "aws_sfn_state_machine" "pipeline" {
  name     = local.state_machine_name
  type     = "STANDARD"
  role_arn = aws_iam_role.state_machine.arn
  tags     = var.tags

  definition = templatefile("${path.module}/pipeline.asl.json", {
    orchestrator_arn = aws_lambda_alias.live["orchestrator"].arn
    evaluator_arn    = aws_lambda_alias.live["evaluator"].arn
    trigger_arn      = aws_lambda_alias.live["trigger"].arn
    run_checker_arn  = aws_lambda_alias.live["run-checker"].arn
    table_name       = aws_dynamodb_table.this.name
  })

  logging_configuration {
    level                  = var.execution_log_level
    include_execution_data = false
    log_destination        = var.execution_log_level == "OFF" ? null : "${aws_cloudwatch_log_group.state_machine.arn}:*"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key_arn[*]

    content {
      type                              = "CUSTOMER_MANAGED_KMS_KEY"
      kms_key_id                        = encryption_configuration.value
      kms_data_key_reuse_period_seconds = 300
    }
  }

  depends_on = [aws_iam_role_policy.state_machine]
}

resource "aws_cloudwatch_log_group" "state_machine" {
  name              = "/aws/vendedlogs/states/${local.state_machine_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}
