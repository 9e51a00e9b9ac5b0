resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                              = "${var.name}-${each.key}"
  message_retention_seconds         = each.value.kept
  visibility_timeout_seconds        = each.value.visible
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300
  tags                              = var.tags

  # Only the one queue's failures may be moved here, and nobody's to the others.
  redrive_allow_policy = each.key == "requests-dead" ? jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns["requests"]]
  }) : jsonencode({ redrivePermission = "denyAll" })
}

# Apart from its queue, because SQS wants the other queue to be there first.
resource "aws_sqs_queue_redrive_policy" "requests" {
  queue_url = aws_sqs_queue.this["requests"].url
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this["requests-dead"].arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  queue_url = aws_sqs_queue.this[each.key].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sqs:*"
        Resource  = local.queue_arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for sender in local.queue_senders[each.key] : {
        Sid       = sender.sid
        Effect    = "Allow"
        Principal = { Service = "${sender.service}.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns[each.key]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = sender.arns }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      }],
    )
  })
}

locals {
  # Roles of this account are not listed: what they may send is in their own policies.
  queue_senders = {
    requests = [
      for number, source in var.request_sources : { sid = "Source${number}", service = source.service, arns = [source.arn] }
    ]
    requests-dead = []
    failures      = []
    async-dead    = [{ sid = "Rules", service = "events", arns = values(local.rule_arns) }]
  }
}
