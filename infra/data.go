package main

import (
	"fmt"

	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsses"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

var str = jsii.String

// list gives several values for one property of a template.
func list(values ...any) *[]any { return &values }

// dataStack holds what must outlive every deployment of code.
type dataStack struct {
	stack cdk.Stack
	table awsdynamodb.CfnTable
	seals []string // ARNs of the keys for secrets of authenticator apps; the first seals
}

func newDataStack(scope constructs.Construct, id string, s Stage, v *inventory) *dataStack {
	st := cdk.NewStack(scope, str(id), &cdk.StackProps{
		Env: environment(s), TerminationProtection: jsii.Bool(s.Protect), Description: str("Lanyard: the table, the key of second factors and the mail identity"),
	})
	attribute := func(name string) any {
		return &awsdynamodb.CfnTable_AttributeDefinitionProperty{AttributeName: str(name), AttributeType: str("S")}
	}
	keys := func(prefix string) any {
		return list(
			&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: str(prefix + "PK"), KeyType: str("HASH")},
			&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: str(prefix + "SK"), KeyType: str("RANGE")},
		)
	}
	sse := &awsdynamodb.CfnTable_SSESpecificationProperty{SseEnabled: jsii.Bool(true), SseType: str("KMS")}
	if s.KMSKey != "" {
		sse.KmsMasterKeyId = str(s.KMSKey)
	}
	table := awsdynamodb.NewCfnTable(st, str("Table"), &awsdynamodb.CfnTableProps{
		BillingMode:               str("PAY_PER_REQUEST"),
		DeletionProtectionEnabled: jsii.Bool(s.Protect),
		AttributeDefinitions:      list(attribute("PK"), attribute("SK"), attribute(v.Index+"PK"), attribute(v.Index+"SK")),
		KeySchema:                 keys(""),
		GlobalSecondaryIndexes: list(&awsdynamodb.CfnTable_GlobalSecondaryIndexProperty{
			IndexName: str(v.Index), KeySchema: keys(v.Index),
			Projection: &awsdynamodb.CfnTable_ProjectionProperty{ProjectionType: str("ALL")},
		}),
		TimeToLiveSpecification:          &awsdynamodb.CfnTable_TimeToLiveSpecificationProperty{AttributeName: str(v.TTL), Enabled: jsii.Bool(true)},
		PointInTimeRecoverySpecification: &awsdynamodb.CfnTable_PointInTimeRecoverySpecificationProperty{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		SseSpecification:                 sse,
		StreamSpecification:              &awsdynamodb.CfnTable_StreamSpecificationProperty{StreamViewType: str("NEW_IMAGE")},
	})
	table.ApplyRemovalPolicy(cdk.RemovalPolicy_RETAIN, nil)
	cdk.NewCfnOutput(st, str("TableName"), &cdk.CfnOutputProps{Value: table.Ref()})
	if s.MailDomain != "" {
		identity := awsses.NewCfnEmailIdentity(st, str("MailIdentity"), &awsses.CfnEmailIdentityProps{EmailIdentity: str(s.MailDomain)})
		identity.ApplyRemovalPolicy(cdk.RemovalPolicy_RETAIN, nil)
	}
	d := &dataStack{stack: st, table: table, seals: s.SealKeys}
	if s.SealWithKMS {
		d.seals = append([]string{d.sealKey(s)}, d.seals...)
	}
	return d
}

// sealKey makes the key for secrets of authenticator apps and gives its ARN. Who
// may use it is the functions' roles to say; its own policy lets the account's
// administrators do that, without which nobody could look after it.
//
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
func (d *dataStack) sealKey(s Stage) string {
	key := awskms.NewCfnKey(d.stack, str("SealKey"), &awskms.CfnKeyProps{
		Description:       str("Lanyard " + s.Name + ": secrets of authenticator apps"),
		EnableKeyRotation: jsii.Bool(true), PendingWindowInDays: jsii.Number(30),
		KeyPolicy: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "kms:*", "Resource": "*",
			"Principal": map[string]any{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", *d.stack.Partition(), *d.stack.Account())},
		}}},
	})
	key.ApplyRemovalPolicy(cdk.RemovalPolicy_RETAIN, nil)
	return *key.AttrArn()
}

func environment(s Stage) *cdk.Environment {
	e := &cdk.Environment{}
	if s.Account != "" {
		e.Account = str(s.Account)
	}
	if s.Region != "" {
		e.Region = str(s.Region)
	}
	return e
}
