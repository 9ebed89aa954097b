resource "aws_iam_role_policy" "ecr_operator_hub" {
  name   = "ecr-operator"
  role   = "ecr-operator-hub"
  policy = <<-EOT
{
  "Statement": [
    {
      "Action": [
        "sts:AssumeRole",
        "sts:TagSession"
      ],
      "Effect": "Allow",
      "Resource": [
        "arn:aws:iam::111111111111:role/ecr-operator"
      ],
      "Sid": "AssumeTargetRoles"
    }
  ],
  "Version": "2012-10-17"
}
EOT
}

# In account 111111111111: give it the provider of that account.
resource "aws_iam_role" "ecr_operator_dev" {
  name               = "ecr-operator"
  path               = "/"
  assume_role_policy = <<-EOT
{
  "Statement": [
    {
      "Action": [
        "sts:AssumeRole",
        "sts:TagSession"
      ],
      "Condition": {
        "StringEquals": {
          "aws:RequestTag/ecr-operator.dev/cluster": "east",
          "sts:ExternalId": "east-dev"
        },
        "StringLike": {
          "sts:RoleSessionName": "ecr-operator@*"
        }
      },
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::999999999999:role/ecr-operator-hub"
      },
      "Sid": "EcrOperator"
    }
  ],
  "Version": "2012-10-17"
}
EOT
}

resource "aws_iam_role_policy" "ecr_operator_dev" {
  name   = "ecr-operator"
  role   = aws_iam_role.ecr_operator_dev.id
  policy = <<-EOT
{
  "Statement": [
    {
      "Action": [
        "ecr:DescribePullThroughCacheRules",
        "ecr:DescribeRegistry",
        "ecr:DescribeRepositoryCreationTemplates",
        "ecr:GetAccountSetting",
        "ecr:GetRegistryPolicy",
        "ecr:GetRegistryScanningConfiguration",
        "ecr:GetSigningConfiguration",
        "ecr:ListPullTimeUpdateExclusions",
        "tag:GetResources"
      ],
      "Effect": "Allow",
      "Resource": "*",
      "Sid": "Read"
    },
    {
      "Action": [
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetLifecyclePolicy",
        "ecr:GetLifecyclePolicyPreview",
        "ecr:GetRepositoryPolicy",
        "ecr:ListImages",
        "ecr:ListTagsForResource",
        "ecr:StartLifecyclePolicyPreview"
      ],
      "Effect": "Allow",
      "Resource": "arn:aws:ecr:*:111111111111:repository/*",
      "Sid": "ReadRepositories"
    },
    {
      "Action": [
        "iam:SimulatePrincipalPolicy"
      ],
      "Effect": "Allow",
      "Resource": "arn:aws:iam::111111111111:role/*",
      "Sid": "ReadRoles"
    },
    {
      "Action": [
        "ecr:CreateRepository",
        "ecr:DeleteLifecyclePolicy",
        "ecr:DeleteRepositoryPolicy",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:SetRepositoryPolicy",
        "ecr:TagResource",
        "ecr:UntagResource"
      ],
      "Effect": "Allow",
      "Resource": "arn:aws:ecr:*:111111111111:repository/*",
      "Sid": "Repositories"
    },
    {
      "Action": "kms:DescribeKey",
      "Condition": {
        "StringLike": {
          "kms:ViaService": "ecr.*.amazonaws.com*"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:kms:*:111111111111:key/*",
      "Sid": "KmsDescribeKeyForCreateRepository"
    },
    {
      "Action": "kms:CreateGrant",
      "Condition": {
        "StringLike": {
          "kms:ViaService": "ecr.*.amazonaws.com*"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:kms:*:111111111111:key/*",
      "Sid": "KmsCreateGrantForCreateRepository"
    },
    {
      "Action": "kms:RetireGrant",
      "Condition": {
        "StringLike": {
          "kms:ViaService": "ecr.*.amazonaws.com*"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:kms:*:111111111111:key/*",
      "Sid": "KmsRetireGrantForCreateRepository"
    },
    {
      "Action": [
        "ecr:CreatePullThroughCacheRule",
        "ecr:CreateRepositoryCreationTemplate",
        "ecr:DeleteRepositoryCreationTemplate",
        "ecr:UpdatePullThroughCacheRule",
        "ecr:UpdateRepositoryCreationTemplate",
        "ecr:ValidatePullThroughCacheRule"
      ],
      "Effect": "Allow",
      "Resource": "*",
      "Sid": "Caches"
    },
    {
      "Action": "ecr:BatchImportUpstreamImage",
      "Effect": "Allow",
      "Resource": "arn:aws:ecr:*:111111111111:repository/*",
      "Sid": "EcrBatchImportUpstreamImageForBatchGetImage"
    },
    {
      "Action": "iam:CreateServiceLinkedRole",
      "Condition": {
        "StringEquals": {
          "iam:AWSServiceName": "pullthroughcache.ecr.amazonaws.com"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::111111111111:role/aws-service-role/pullthroughcache.ecr.amazonaws.com/AWSServiceRoleForECRPullThroughCache",
      "Sid": "IamCreateServiceLinkedRoleForCreatePullThroughCacheRule"
    },
    {
      "Action": "iam:PassRole",
      "Condition": {
        "StringEquals": {
          "iam:PassedToService": "pullthroughcache.ecr.amazonaws.com"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::111111111111:role/*",
      "Sid": "IamPassRoleForCreatePullThroughCacheRule"
    },
    {
      "Action": "iam:CreateServiceLinkedRole",
      "Condition": {
        "StringEquals": {
          "iam:AWSServiceName": "ecr.amazonaws.com"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::111111111111:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECRTemplate",
      "Sid": "IamCreateServiceLinkedRoleForCreateRepositoryCreationTemplate"
    },
    {
      "Action": "iam:PassRole",
      "Condition": {
        "StringEquals": {
          "iam:PassedToService": "ecr.amazonaws.com"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::111111111111:role/*",
      "Sid": "IamPassRoleForCreateRepositoryCreationTemplate"
    },
    {
      "Action": [
        "ecr:DeleteLifecyclePolicy",
        "ecr:DeleteRepositoryPolicy",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:SetRepositoryPolicy",
        "ecr:TagResource",
        "ecr:UntagResource"
      ],
      "Condition": {
        "Null": {
          "aws:ResourceTag/ecr-operator.dev/cluster": "false"
        },
        "StringNotEquals": {
          "aws:ResourceTag/ecr-operator.dev/cluster": "east"
        }
      },
      "Effect": "Deny",
      "Resource": "arn:aws:ecr:*:111111111111:repository/*",
      "Sid": "NeverToAnotherCluster"
    },
    {
      "Action": [
        "ecr:BatchDeleteImage",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart"
      ],
      "Effect": "Deny",
      "Resource": "*",
      "Sid": "NeverToImages"
    }
  ],
  "Version": "2012-10-17"
}
EOT
}
