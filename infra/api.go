package main

import (
	"fmt"
	"path/filepath"
	"strings"

	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// apiStack holds what every deployment of code replaces.
type apiStack struct {
	stack   cdk.Stack
	stage   Stage
	dist    string // directory of the built functions
	arns    arns
	roles   map[string]awsiam.CfnRole
	env     map[string]*string
	logs    awslogs.CfnLogGroup
	workers awslogs.CfnLogGroup
	secret  string // reference to the origin secret; empty without a front
}

// hashMemory is what gives a function one whole vCPU.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const hashMemory = 1769

func newAPIStack(scope constructs.Construct, id string, s Stage, v *inventory, data *dataStack, dist string) (*apiStack, error) {
	st := &apiStack{
		stack: cdk.NewStack(scope, str(id), &cdk.StackProps{Env: environment(s), Description: str("Lanyard: functions and API")}),
		stage: s, dist: dist, roles: map[string]awsiam.CfnRole{},
	}
	st.logs = st.logGroup("Logs", "/lanyard/"+s.Name+"/requests")
	st.workers = st.logGroup("WorkerLogs", "/lanyard/"+s.Name+"/workers")
	letters := awssqs.NewCfnQueue(st.stack, str("DeadLetters"), &awssqs.CfnQueueProps{
		MessageRetentionPeriod: jsii.Number(14 * 24 * 3600), SqsManagedSseEnabled: jsii.Bool(true),
	})
	// Nobody speaks to the queue in the clear; who may at all, IAM says.
	awssqs.NewCfnQueuePolicy(st.stack, str("DeadLettersPolicy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{letters.Ref()},
		PolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": *letters.AttrArn(),
			"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		}}},
	})
	ring := "/lanyard/" + s.Name + "/keys"
	st.arns = arns{
		table: *data.table.AttrArn(), index: *data.table.AttrArn() + "/index/" + v.Index, stream: *data.table.AttrStreamArn(),
		logs: *st.logs.AttrArn(), workerLogs: *st.workers.AttrArn(), letters: *letters.AttrArn(),
		tableKey: s.KMSKey, ring: st.arn("ssm", "parameter"+ring), seals: data.seals,
	}
	st.env = map[string]*string{
		"LANYARD_STAGE": str(s.Name), "LANYARD_PUBLIC_URL": str(s.PublicURL), "LANYARD_TABLE": data.table.Ref(),
		"LANYARD_KEYS_SOURCE": str("ssm"), "LANYARD_KEYS_NAME": str(ring), "LANYARD_CORS_ORIGINS": str(strings.Join(s.CORSOrigins, ",")),
		"LANYARD_MFA_KMS_KEYS": str(strings.Join(data.seals, ",")),
		"LANYARD_MAIL_SENDER":  str("ses"), "LANYARD_MAIL_FROM": str(s.MailFrom),
	}
	for name, value := range s.Settings {
		st.env[name] = str(value)
	}
	if s.Front != nil {
		st.env["LANYARD_ORIGIN_SECRET"] = str(st.originSecret())
	}
	if err := st.workersOf(v); err != nil {
		return nil, err
	}
	api, err := st.httpAPI(v)
	if err != nil {
		return nil, err
	}
	if s.Front != nil {
		st.front()
	}
	st.observe(v, api, letters)
	return st, nil
}

// arn names a resource of the stack's account and region.
func (st *apiStack) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", *st.stack.Partition(), service, *st.stack.Region(), *st.stack.Account(), resource)
}

// identities are what the mailer may send as. SES checks the address where that
// is an identity of its own, else its domain.
//
// https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html
func (st *apiStack) identities() []string {
	address := st.stage.MailFrom[strings.LastIndexByte(st.stage.MailFrom, '<')+1:]
	address = strings.TrimSuffix(strings.TrimSpace(address), ">")
	_, domain, _ := strings.Cut(address, "@")
	out := []string{st.arn("ses", "identity/"+domain), st.arn("ses", "identity/"+address)}
	for _, to := range st.stage.SandboxRecipients {
		out = append(out, st.arn("ses", "identity/"+to))
	}
	return out
}

func (st *apiStack) logGroup(id, name string) awslogs.CfnLogGroup {
	g := awslogs.NewCfnLogGroup(st.stack, str(id), &awslogs.CfnLogGroupProps{LogGroupName: str(name), RetentionInDays: jsii.Number(st.stage.RetentionDays)})
	g.ApplyRemovalPolicy(cdk.RemovalPolicy_RETAIN, nil)
	return g
}

// role gives the role of a privilege class, made when first asked for.
func (st *apiStack) role(p privileges, logs string) (awsiam.CfnRole, error) {
	class, err := p.class(st.stack.Resolve)
	if err != nil {
		return nil, err
	}
	if r, ok := st.roles[class]; ok {
		return r, nil
	}
	r := awsiam.NewCfnRole(st.stack, str("Role"+class), &awsiam.CfnRoleProps{
		AssumeRolePolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"},
		}}},
		Policies: list(&awsiam.CfnRole_PolicyProperty{
			PolicyName: str("function"), PolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": p.statements(st.arns, logs)},
		}),
	})
	st.roles[class] = r
	return r, nil
}

// sizing is what differs between functions.
type sizing struct {
	memory, timeout float64
	reserved        float64 // 0: none
	worker          bool    // logs with the workers
}

func (st *apiStack) function(name string, p privileges, z sizing) (awslambda.CfnFunction, error) {
	logs := st.logs
	if z.worker {
		logs = st.workers
	}
	role, err := st.role(p, *logs.AttrArn())
	if err != nil {
		return nil, err
	}
	asset := awss3assets.NewAsset(st.stack, str(logical(name)+"Code"), &awss3assets.AssetProps{Path: str(filepath.Join(st.dist, name))})
	props := &awslambda.CfnFunctionProps{
		FunctionName: str("lanyard-" + st.stage.Name + "-" + name), Runtime: str("provided.al2023"), Handler: str("bootstrap"),
		Architectures: jsii.Strings("arm64"), MemorySize: jsii.Number(z.memory), Timeout: jsii.Number(z.timeout), Role: role.AttrArn(),
		Code:          &awslambda.CfnFunction_CodeProperty{S3Bucket: asset.S3BucketName(), S3Key: asset.S3ObjectKey()},
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: st.env},
		TracingConfig: &awslambda.CfnFunction_TracingConfigProperty{Mode: str("Active")},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: logs.Ref(), LogFormat: str("Text")},
	}
	if z.reserved > 0 {
		props.ReservedConcurrentExecutions = jsii.Number(z.reserved)
	}
	return awslambda.NewCfnFunction(st.stack, str(logical(name)), props), nil
}

// workersOf makes the mailer with its stream and the key rotator.
func (st *apiStack) workersOf(v *inventory) error {
	readStream := allow(st.arns.stream, "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
	mayMail := statement{"Effect": "Allow", "Action": []string{"ses:SendEmail"}, "Resource": st.identities()}
	mailer, err := st.function("mailer", privileges{Grants: v.Mailer, Extra: []statement{
		allow(st.arns.ring, "ssm:GetParameter"), mayMail, allow(st.arns.letters, "sqs:SendMessage"), readStream,
	}}, sizing{memory: 256, timeout: 60, worker: true})
	if err != nil {
		return err
	}
	awslambda.NewCfnEventSourceMapping(st.stack, str("MailerSource"), &awslambda.CfnEventSourceMappingProps{
		FunctionName: mailer.Ref(), EventSourceArn: str(st.arns.stream), StartingPosition: str("TRIM_HORIZON"), BatchSize: jsii.Number(25),
		MaximumRetryAttempts: jsii.Number(5), BisectBatchOnFunctionError: jsii.Bool(true), FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: str(st.arns.letters)},
		},
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
			Filters: list(&awslambda.CfnEventSourceMapping_FilterProperty{Pattern: str(v.MailerFilter)}),
		},
	})
	st.schedule("Sweep", "rate(1 minute)", mailer)
	rotator, err := st.function("key-rotator", privileges{Extra: []statement{allow(st.arns.ring, "ssm:GetParameter", "ssm:PutParameter")}},
		sizing{memory: 256, timeout: 30, reserved: 1, worker: true})
	if err != nil {
		return err
	}
	st.schedule("Rotate", "rate(1 day)", rotator)
	return nil
}

func (st *apiStack) schedule(id, rate string, f awslambda.CfnFunction) {
	rule := awsevents.NewCfnRule(st.stack, str(id), &awsevents.CfnRuleProps{
		ScheduleExpression: str(rate),
		Targets:            list(&awsevents.CfnRule_TargetProperty{Arn: f.AttrArn(), Id: str("function"), Input: str("{}")}),
	})
	awslambda.NewCfnPermission(st.stack, str(id+"Permission"), &awslambda.CfnPermissionProps{
		Action: str("lambda:InvokeFunction"), FunctionName: f.Ref(), Principal: str("events.amazonaws.com"), SourceArn: rule.AttrArn(),
	})
}

// httpAPI makes the API, its authorizer, and a function and a route for every
// operation. API Gateway calls them in a role that may invoke this stage's
// functions and nothing else: one policy instead of a permission each.
func (st *apiStack) httpAPI(v *inventory) (awsapigatewayv2.CfnApi, error) {
	props := &awsapigatewayv2.CfnApiProps{
		Name: str("lanyard-" + st.stage.Name), ProtocolType: str("HTTP"), DisableExecuteApiEndpoint: jsii.Bool(st.stage.Domain != ""),
	}
	if len(st.stage.CORSOrigins) > 0 {
		props.CorsConfiguration = &awsapigatewayv2.CfnApi_CorsProperty{
			AllowOrigins: jsii.Strings(st.stage.CORSOrigins...), AllowCredentials: jsii.Bool(true), MaxAge: jsii.Number(v.CORS.MaxAge),
			AllowMethods: jsii.Strings(v.CORS.Methods...), AllowHeaders: jsii.Strings(v.CORS.Headers...), ExposeHeaders: jsii.Strings(v.CORS.Exposed...),
		}
	}
	api := awsapigatewayv2.NewCfnApi(st.stack, str("Api"), props)
	prefix := fmt.Sprintf("arn:%s:lambda:%s:%s:function:lanyard-%s-*", *st.stack.Partition(), *st.stack.Region(), *st.stack.Account(), st.stage.Name)
	invoker := awsiam.NewCfnRole(st.stack, str("Invoker"), &awsiam.CfnRoleProps{
		AssumeRolePolicyDocument: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "apigateway.amazonaws.com"},
		}}},
		Policies: list(&awsiam.CfnRole_PolicyProperty{PolicyName: str("invoke"), PolicyDocument: map[string]any{
			"Version": "2012-10-17", "Statement": []statement{allow(prefix, "lambda:InvokeFunction")},
		}}),
	})
	auth, err := st.function("authorizer", privileges{Grants: v.Authorizer, Extra: []statement{allow(st.arns.ring, "ssm:GetParameter")}}, sizing{memory: 256, timeout: 5})
	if err != nil {
		return nil, err
	}
	uri := func(f awslambda.CfnFunction) *string {
		return str(fmt.Sprintf("arn:%s:apigateway:%s:lambda:path/2015-03-31/functions/%s/invocations", *st.stack.Partition(), *st.stack.Region(), *f.AttrArn()))
	}
	// No identity sources: all that are listed are required, and a token may
	// come in a header or in a cookie. Without them the cache must be off.
	authorizer := awsapigatewayv2.NewCfnAuthorizer(st.stack, str("LanyardAuthorizer"), &awsapigatewayv2.CfnAuthorizerProps{
		ApiId: api.Ref(), Name: str("lanyard"), AuthorizerType: str("REQUEST"), AuthorizerPayloadFormatVersion: str("2.0"),
		EnableSimpleResponses: jsii.Bool(true), AuthorizerResultTtlInSeconds: jsii.Number(0), AuthorizerUri: uri(auth),
		AuthorizerCredentialsArn: invoker.AttrArn(),
	})
	for _, op := range v.Operations {
		p := privileges{Grants: op.Policy}
		if op.Secrets {
			p.Extra = []statement{allow(st.arns.ring, "ssm:GetParameter")}
		}
		p.Extra = append(p.Extra, useSealKeys(st.arns.seals, op)...)
		z := sizing{memory: 256, timeout: 10}
		if op.Hashes {
			z.memory, z.reserved = hashMemory, st.stage.HashConcurrency
		}
		f, err := st.function(op.ID, p, z)
		if err != nil {
			return nil, err
		}
		integration := awsapigatewayv2.NewCfnIntegration(st.stack, str(logical(op.ID)+"Integration"), &awsapigatewayv2.CfnIntegrationProps{
			ApiId: api.Ref(), IntegrationType: str("AWS_PROXY"), IntegrationUri: f.AttrArn(), PayloadFormatVersion: str("2.0"), CredentialsArn: invoker.AttrArn(),
		})
		route := &awsapigatewayv2.CfnRouteProps{
			ApiId: api.Ref(), RouteKey: str(op.Method + " " + op.Path), Target: str("integrations/" + *integration.Ref()), AuthorizationType: str("NONE"),
		}
		if op.Access != "public" {
			route.AuthorizationType, route.AuthorizerId = str("CUSTOM"), authorizer.Ref()
		}
		awsapigatewayv2.NewCfnRoute(st.stack, str(logical(op.ID)+"Route"), route)
	}
	stage := awsapigatewayv2.NewCfnStage(st.stack, str("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId: api.Ref(), StageName: str("$default"), AutoDeploy: jsii.Bool(true),
		// Metrics a route would be charged for each, and say what the functions' own do.
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			DetailedMetricsEnabled: jsii.Bool(false), ThrottlingBurstLimit: jsii.Number(2 * st.stage.RequestsPerSecond), ThrottlingRateLimit: jsii.Number(st.stage.RequestsPerSecond),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: st.logGroup("GatewayLogs", "/aws/vendedlogs/lanyard/"+st.stage.Name+"/gateway").AttrArn(), Format: str(accessLog()),
		},
	})
	if st.stage.Domain == "" {
		cdk.NewCfnOutput(st.stack, str("Url"), &cdk.CfnOutputProps{Value: api.AttrApiEndpoint()})
	} else {
		domain := awsapigatewayv2.NewCfnDomainName(st.stack, str("Domain"), &awsapigatewayv2.CfnDomainNameProps{
			DomainName: str(st.stage.Domain),
			DomainNameConfigurations: list(&awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{
				CertificateArn: str(st.stage.Certificate), EndpointType: str("REGIONAL"), SecurityPolicy: str("TLS_1_2"),
			}),
		})
		awsapigatewayv2.NewCfnApiMapping(st.stack, str("Mapping"), &awsapigatewayv2.CfnApiMappingProps{ApiId: api.Ref(), DomainName: domain.Ref(), Stage: stage.Ref()})
		cdk.NewCfnOutput(st.stack, str("DomainTarget"), &cdk.CfnOutputProps{Value: domain.AttrRegionalDomainName()})
	}
	return api, nil
}

// accessLog is the line that the gateway writes of a request. It alone tells of
// those that no function of a route saw: refused by the authorizer, without a
// route, beyond the gateway's own rate. No header and no query is in it: they
// may hold tokens.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func accessLog() string {
	var members []string
	for _, m := range [][2]string{
		{"requestId", "requestId"}, {"route", "routeKey"}, {"status", "status"}, {"ip", "identity.sourceIp"}, {"latency", "responseLatency"},
		{"gatewayError", "error.responseType"}, {"authorizerError", "authorizer.error"}, {"functionError", "integration.error"},
	} {
		members = append(members, fmt.Sprintf("%q:\"$context.%s\"", m[0], m[1]))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// logical gives the logical id of a name: AuthLogin of auth-login.
func logical(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
