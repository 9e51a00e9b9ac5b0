resource "aws_sns_topic" "this" {
  for_each = local.topic_arns

  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topic_arns

  arn = aws_sns_topic.this[each.key].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sns:Publish"
        Resource  = each.value
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for sender in local.topic_senders[each.key] : {
        Sid       = sender.sid
        Effect    = "Allow"
        Principal = { Service = "${sender.service}.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = each.value
        Condition = {
          ArnLike      = { "aws:SourceArn" = sender.arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      }],
    )
  })
}

resource "aws_sns_topic_subscription" "alerts" {
  for_each = { for subscription in var.alert_subscriptions : "${subscription.protocol}:${subscription.endpoint}" => subscription }

  topic_arn = aws_sns_topic.this["alerts"].arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

locals {
  topic_senders = {
    alerts = [
      {
        sid     = "Alarms"
        service = "cloudwatch"
        arn     = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-*"
      },
      { sid = "Executions", service = "events", arn = local.rule_arns["executions"] },
    ]
    lifecycle = []
  }
}
