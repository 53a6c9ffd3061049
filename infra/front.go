package main

import (
	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/jsii-runtime-go"
)

// Policies that CloudFront keeps for everybody: nothing is cached, and the API
// gets everything that the client sent but the Host header.
//
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
const (
	cachingDisabled           = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
	allViewerExceptHostHeader = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
)

// originSecret makes the secret that the distribution and the functions share,
// and gives the reference that CloudFormation resolves when it deploys, so that
// no template holds the value.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html
func (st *apiStack) originSecret() string {
	secret := awssecretsmanager.NewCfnSecret(st.stack, str("OriginSecret"), &awssecretsmanager.CfnSecretProps{
		Description: str("What CloudFront sends the API to prove itself"),
		GenerateSecretString: &awssecretsmanager.CfnSecret_GenerateSecretStringProperty{
			PasswordLength: jsii.Number(48), ExcludePunctuation: jsii.Bool(true),
		},
	})
	st.secret = "{{resolve:secretsmanager:" + *secret.Ref() + ":SecretString}}"
	return st.secret
}

// front makes the distribution and its firewall: AWS's rules for known bad
// inputs and bad addresses, and a bound on the requests of one address.
func (st *apiStack) front() {
	f := st.stage.Front
	metric := func(name string) *awswafv2.CfnWebACL_VisibilityConfigProperty {
		return &awswafv2.CfnWebACL_VisibilityConfigProperty{CloudWatchMetricsEnabled: jsii.Bool(true), SampledRequestsEnabled: jsii.Bool(false), MetricName: str(name)}
	}
	managed := func(priority float64, name string) any {
		return &awswafv2.CfnWebACL_RuleProperty{
			Name: str(name), Priority: jsii.Number(priority), VisibilityConfig: metric(name),
			OverrideAction: &awswafv2.CfnWebACL_OverrideActionProperty{None: map[string]any{}},
			Statement: &awswafv2.CfnWebACL_StatementProperty{
				ManagedRuleGroupStatement: &awswafv2.CfnWebACL_ManagedRuleGroupStatementProperty{VendorName: str("AWS"), Name: str(name)},
			},
		}
	}
	wall := awswafv2.NewCfnWebACL(st.stack, str("Firewall"), &awswafv2.CfnWebACLProps{
		Scope: str("CLOUDFRONT"), VisibilityConfig: metric("lanyard-" + st.stage.Name),
		DefaultAction: &awswafv2.CfnWebACL_DefaultActionProperty{Allow: &awswafv2.CfnWebACL_AllowActionProperty{}},
		Rules: list(
			&awswafv2.CfnWebACL_RuleProperty{
				Name: str("rate"), Priority: jsii.Number(0), VisibilityConfig: metric("rate"),
				Action: &awswafv2.CfnWebACL_RuleActionProperty{Block: &awswafv2.CfnWebACL_BlockActionProperty{}},
				Statement: &awswafv2.CfnWebACL_StatementProperty{RateBasedStatement: &awswafv2.CfnWebACL_RateBasedStatementProperty{
					AggregateKeyType: str("IP"), Limit: jsii.Number(f.RequestsPer5Minutes), EvaluationWindowSec: jsii.Number(300),
				}},
			},
			managed(1, "AWSManagedRulesAmazonIpReputationList"),
			managed(2, "AWSManagedRulesKnownBadInputsRuleSet"),
		),
	})
	const origin = "api"
	distribution := awscloudfront.NewCfnDistribution(st.stack, str("Front"), &awscloudfront.CfnDistributionProps{
		DistributionConfig: &awscloudfront.CfnDistribution_DistributionConfigProperty{
			Enabled: jsii.Bool(true), HttpVersion: str("http2and3"), Ipv6Enabled: jsii.Bool(true), Aliases: jsii.Strings(f.Domain), WebAclId: wall.AttrArn(),
			Origins: list(&awscloudfront.CfnDistribution_OriginProperty{
				Id: str(origin), DomainName: str(st.stage.Domain),
				CustomOriginConfig: &awscloudfront.CfnDistribution_CustomOriginConfigProperty{OriginProtocolPolicy: str("https-only"), OriginSslProtocols: jsii.Strings("TLSv1.2")},
				OriginCustomHeaders: list(&awscloudfront.CfnDistribution_OriginCustomHeaderProperty{
					HeaderName: str("X-Origin-Verify"), HeaderValue: str(st.secret),
				}),
			}),
			DefaultCacheBehavior: &awscloudfront.CfnDistribution_DefaultCacheBehaviorProperty{
				TargetOriginId: str(origin), ViewerProtocolPolicy: str("https-only"), Compress: jsii.Bool(true),
				AllowedMethods: jsii.Strings("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"),
				CachePolicyId:  str(cachingDisabled), OriginRequestPolicyId: str(allViewerExceptHostHeader),
			},
			ViewerCertificate: &awscloudfront.CfnDistribution_ViewerCertificateProperty{
				AcmCertificateArn: str(f.Certificate), SslSupportMethod: str("sni-only"), MinimumProtocolVersion: str("TLSv1.2_2021"),
			},
		},
	})
	cdk.NewCfnOutput(st.stack, str("FrontTarget"), &cdk.CfnOutputProps{Value: distribution.AttrDomainName()})
}
