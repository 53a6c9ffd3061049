package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// TestTemplates synthesises the production stage once and holds both templates
// to what a deployment promises.
func TestTemplates(t *testing.T) {
	v, err := readInventory("../api/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	dist := built(t, v)
	s, err := stage("prod")
	if err != nil {
		t.Fatal(err)
	}
	data, api, err := stacks(cdk.NewApp(nil), s, v, dist)
	if err != nil {
		t.Fatal(err)
	}
	kept, code := resources(t, data.stack), resources(t, api.stack)

	t.Run("the table is protected, encrypted, recoverable and kept", func(t *testing.T) {
		tables := of(kept, "AWS::DynamoDB::Table")
		if len(tables) != 1 {
			t.Fatalf("%d tables", len(tables))
		}
		for _, r := range tables {
			p := text(r.Properties)
			for _, want := range []string{
				`"DeletionProtectionEnabled":true`, `"SSEEnabled":true`, `"PointInTimeRecoveryEnabled":true`, `"StreamViewType":"NEW_IMAGE"`,
				`"IndexName":"` + v.Index + `"`, `"AttributeName":"` + v.TTL + `","Enabled":true`,
			} {
				if !strings.Contains(p, want) {
					t.Errorf("no %s in %s", want, p)
				}
			}
			if r.DeletionPolicy != "Retain" {
				t.Errorf("deletion policy %s", r.DeletionPolicy)
			}
		}
	})
	t.Run("every operation has its route, function and authorizer", func(t *testing.T) {
		routes := of(code, "AWS::ApiGatewayV2::Route")
		if len(routes) != len(v.Operations) {
			t.Errorf("%d routes of %d operations", len(routes), len(v.Operations))
		}
		for _, op := range v.Operations {
			r, ok := routes[logical(op.ID)+"Route"]
			if !ok || r.Properties["RouteKey"] != op.Method+" "+op.Path {
				t.Errorf("%s: route %v", op.ID, r.Properties)
			}
			if want := map[bool]string{true: "NONE", false: "CUSTOM"}[op.Access == "public"]; r.Properties["AuthorizationType"] != want {
				t.Errorf("%s is %s and has authorization %v", op.ID, op.Access, r.Properties["AuthorizationType"])
			}
			f := code[logical(op.ID)].Properties
			if op.Hashes != (f["MemorySize"] == 1769.0) || op.Hashes != (f["ReservedConcurrentExecutions"] != nil) {
				t.Errorf("%s: hashes %v, memory %v, reserved %v", op.ID, op.Hashes, f["MemorySize"], f["ReservedConcurrentExecutions"])
			}
		}
	})
	t.Run("the authorizer's answers are not cached", func(t *testing.T) {
		for _, r := range of(code, "AWS::ApiGatewayV2::Authorizer") {
			if p := r.Properties; p["AuthorizerResultTtlInSeconds"] != 0.0 || p["AuthorizerPayloadFormatVersion"] != "2.0" || p["EnableSimpleResponses"] != true || p["IdentitySource"] != nil {
				t.Errorf("authorizer %v", p)
			}
		}
	})
	t.Run("no policy has a wildcard, but where AWS knows no resource", func(t *testing.T) {
		for id, r := range of(code, "AWS::IAM::Role") {
			for _, st := range policyStatements(t, r) {
				action, where := text(st["Action"]), text(st["Resource"])
				if strings.Contains(action, "*") || strings.Contains(action, "Scan") {
					t.Errorf("%s allows %s", id, action)
				}
				if where == `"*"` && !regexp.MustCompile(`^\["xray:PutTelemetryRecords","xray:PutTraceSegments"\]$`).MatchString(action) {
					t.Errorf("%s allows %s on everything", id, action)
				}
				data := strings.Contains(action, "dynamodb:") && !strings.Contains(action, "Stream")
				cond := text(st["Condition"])
				if data && (!strings.Contains(cond, `"ForAllValues:StringLike":{"dynamodb:LeadingKeys":[`) || !strings.Contains(cond, `"Null":{"dynamodb:LeadingKeys":"false"}`)) {
					t.Errorf("%s allows %s without bounds on the key: %s", id, action, cond)
				}
			}
		}
	})
	t.Run("each function's role allows what its operation declares and no more", func(t *testing.T) {
		for _, op := range v.Operations {
			role := strings.Trim(regexp.MustCompile(`"Role\w+"`).FindString(text(code[logical(op.ID)].Properties["Role"])), `"`)
			var got []string
			for _, st := range policyStatements(t, code[role]) {
				if strings.Contains(text(st["Action"]), "dynamodb:") {
					got = append(got, text(st["Action"])+text(st["Condition"]))
				}
			}
			var want []string
			for _, g := range op.Policy {
				var actions any = "dynamodb:" + g.Actions[0]
				if len(g.Actions) > 1 {
					all := make([]string, len(g.Actions))
					for i, a := range g.Actions {
						all[i] = "dynamodb:" + a
					}
					actions = all
				}
				want = append(want, unlisted(text(actions))+fmt.Sprintf(`{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":%s},"Null":{"dynamodb:LeadingKeys":"false"}}`, text(g.Keys)))
			}
			for i := range got {
				got[i] = unlisted(got[i])
			}
			slices.Sort(got)
			slices.Sort(want)
			for i := range want {
				want[i] = unlisted(want[i])
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s:\n got %v\nwant %v", op.ID, got, want)
			}
			if op.Secrets != strings.Contains(text(code[role].Properties), "ssm:GetParameter") {
				t.Errorf("%s: secrets %v", op.ID, op.Secrets)
			}
		}
	})
	t.Run("a key that rotates and is kept seals second factors, for the operations that say so", func(t *testing.T) {
		keys := of(kept, "AWS::KMS::Key")
		if len(keys) != 1 {
			t.Fatalf("%d keys", len(keys))
		}
		for _, r := range keys {
			if p := text(r.Properties); !strings.Contains(p, `"EnableKeyRotation":true`) || strings.Contains(p, `"Principal":"*"`) || r.DeletionPolicy != "Retain" {
				t.Errorf("%s, deletion policy %s", p, r.DeletionPolicy)
			}
		}
		key := text(data.stack.Resolve(str(data.seals[0])))
		if key != `{"Fn::GetAtt":["SealKey","Arn"]}` {
			t.Errorf("the key that seals is %s", key)
		}
		with := 0
		for _, op := range v.Operations {
			role := strings.Trim(regexp.MustCompile(`"Role\w+"`).FindString(text(code[logical(op.ID)].Properties["Role"])), `"`)
			var got []string
			for _, st := range policyStatements(t, code[role]) {
				if action := text(st["Action"]); strings.Contains(action, "kms:") {
					got = append(got, action+text(st["Condition"]))
					if where := text(st["Resource"]); !strings.Contains(where, "SealKey") || strings.Contains(where, `"*"`) {
						t.Errorf("%s may use %s", op.ID, where)
					}
				}
			}
			var want []string
			if op.Seals || op.Opens {
				with++
				action := map[[2]bool]string{{true, true}: `["kms:Encrypt","kms:Decrypt"]`, {true, false}: `"kms:Encrypt"`, {false, true}: `"kms:Decrypt"`}[[2]bool{op.Seals, op.Opens}]
				want = []string{action + `{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["lanyard:purpose","lanyard:user"]},"StringEquals":{"kms:EncryptionContext:lanyard:purpose":"totp"}}`}
			}
			for i := range got {
				got[i] = unlisted(got[i])
			}
			for i := range want {
				want[i] = unlisted(want[i])
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", op.ID, got, want)
			}
		}
		if with == 0 {
			t.Error("no operation uses the key")
		}
	})
	t.Run("settings are those that the SAM template sets", func(t *testing.T) {
		raw, err := os.ReadFile("../template.yaml")
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, m := range regexp.MustCompile(`(?m)^        (LANYARD_\w+):`).FindAllStringSubmatch(string(raw), -1) {
			if m[1] != "LANYARD_DYNAMODB" && m[1] != "LANYARD_KEYS" { // for sam local alone
				want = append(want, m[1])
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(api.env)); !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("functions get %v, by the template %v", got, want)
		}
	})
	t.Run("logs have an end, functions are traced, mail failures are kept", func(t *testing.T) {
		for id, r := range of(code, "AWS::Logs::LogGroup") {
			if r.Properties["RetentionInDays"] != s.RetentionDays {
				t.Errorf("%s: %v", id, r.Properties)
			}
		}
		for id, r := range of(code, "AWS::Lambda::Function") {
			p := text(r.Properties)
			if !strings.Contains(p, `"TracingConfig":{"Mode":"Active"}`) || !strings.Contains(p, `"LogGroup":`) || !strings.Contains(p, `"provided.al2023"`) {
				t.Errorf("%s: %s", id, p)
			}
		}
		for _, r := range of(code, "AWS::Lambda::EventSourceMapping") {
			p := text(r.Properties)
			if !strings.Contains(p, "ReportBatchItemFailures") || !strings.Contains(p, "OnFailure") {
				t.Error(p)
			}
		}
	})
	t.Run("mail is sent as the configured sender alone", func(t *testing.T) {
		for id, r := range of(code, "AWS::IAM::Role") {
			for _, st := range policyStatements(t, r) {
				if !strings.Contains(text(st["Action"]), "ses:") {
					continue
				}
				if where := text(st["Resource"]); !strings.Contains(where, `identity/example.com"`) || !strings.Contains(where, `identity/no-reply@example.com"`) || strings.Count(where, "identity/") != 2 {
					t.Errorf("%s sends as %s", id, where)
				}
			}
		}
	})
	t.Run("nothing is open to the world but the API", func(t *testing.T) {
		for _, kind := range []string{"AWS::Lambda::Url", "AWS::S3::Bucket", "AWS::Lambda::EventInvokeConfig"} {
			if found := of(code, kind); len(found) != 0 {
				t.Errorf("%s: %v", kind, slices.Collect(maps.Keys(found)))
			}
		}
		for id, r := range of(code, "AWS::Lambda::Permission") {
			if r.Properties["Principal"] != "events.amazonaws.com" || r.Properties["SourceArn"] == nil {
				t.Errorf("%s: %v", id, r.Properties)
			}
		}
		for id, r := range of(code, "AWS::IAM::Role") {
			if r.Properties["ManagedPolicyArns"] != nil {
				t.Errorf("%s has AWS's policies: %v", id, r.Properties["ManagedPolicyArns"])
			}
		}
		invoke := text(policyStatements(t, code["Invoker"]))
		if strings.Count(invoke, "lambda:InvokeFunction") != 1 || !strings.Contains(invoke, ":function:lanyard-prod-*") {
			t.Errorf("the gateway may invoke %s", invoke)
		}
	})
	t.Run("what failed is kept sealed, and sent sealed", func(t *testing.T) {
		for id, r := range of(code, "AWS::SQS::Queue") {
			if r.Properties["SqsManagedSseEnabled"] != true || r.Properties["MessageRetentionPeriod"] != 1209600.0 {
				t.Errorf("%s: %v", id, r.Properties)
			}
		}
		for _, r := range of(code, "AWS::SQS::QueuePolicy") {
			if p := text(r.Properties); !strings.Contains(p, `"aws:SecureTransport":"false"`) || strings.Contains(p, `"Allow"`) {
				t.Error(p)
			}
		}
	})
	t.Run("the mailer follows the stream and sweeps, the rotator runs daily and alone", func(t *testing.T) {
		if p := code["KeyRotator"].Properties; p["ReservedConcurrentExecutions"] != 1.0 {
			t.Errorf("rotators at once: %v", p["ReservedConcurrentExecutions"])
		}
		for id, rate := range map[string]string{"Sweep": "rate(1 minute)", "Rotate": "rate(1 day)"} {
			if p := code[id].Properties; p["ScheduleExpression"] != rate {
				t.Errorf("%s: %v", id, p)
			}
		}
		if p := text(code["MailerSource"].Properties["FilterCriteria"]); !strings.Contains(p, text(v.MailerFilter)) {
			t.Errorf("the mailer gets %s", p)
		}
	})
	t.Run("CORS is the stage's origins with the code's policy", func(t *testing.T) {
		want := text(map[string]any{
			"AllowOrigins": s.CORSOrigins, "AllowCredentials": true, "AllowMethods": v.CORS.Methods,
			"AllowHeaders": v.CORS.Headers, "ExposeHeaders": v.CORS.Exposed, "MaxAge": v.CORS.MaxAge,
		})
		if got := text(code["Api"].Properties["CorsConfiguration"]); got != want || len(v.CORS.Exposed) == 0 {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("the gateway bounds the rate, and logs what no function sees", func(t *testing.T) {
		p := text(code["Stage"].Properties)
		for _, want := range []string{`"ThrottlingBurstLimit":1000`, `"ThrottlingRateLimit":500`, `"DetailedMetricsEnabled":false`, `$context.authorizer.error`, `$context.error.responseType`, `"GatewayLogs"`} {
			if !strings.Contains(p, want) {
				t.Errorf("no %s in %s", want, p)
			}
		}
		for _, secret := range []string{"$context.path", "header", "queryString", "authorizer.token"} {
			if strings.Contains(p, secret) {
				t.Errorf("the access log holds %s", secret)
			}
		}
		var line map[string]string
		if err := json.Unmarshal([]byte(accessLog()), &line); err != nil || len(line) < 6 {
			t.Errorf("the access log's lines are no JSON: %v", err)
		}
	})
	alarmsWatch(t, v, code)
	t.Run("the stack stays well inside 500 resources", func(t *testing.T) {
		t.Logf("%d resources", len(code))
		if len(code) > 400 {
			t.Errorf("%d resources", len(code))
		}
	})
}

// built makes a directory that looks like dist/.
func built(t *testing.T, v *inventory) string {
	t.Helper()
	dist := t.TempDir()
	names := []string{"authorizer", "mailer", "key-rotator"}
	for _, op := range v.Operations {
		names = append(names, op.ID)
	}
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(dist, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dist, name, "bootstrap"), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dist
}

// TestFront synthesises a stage with CloudFront before the API.
func TestFront(t *testing.T) {
	v, err := readInventory("../api/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage("prod")
	if err != nil {
		t.Fatal(err)
	}
	s.Region, s.Domain, s.Certificate = "us-east-1", "origin.auth.example.com", "arn:aws:acm:us-east-1:123456789012:certificate/a"
	s.Front = &Front{Domain: "auth.example.com", Certificate: "arn:aws:acm:us-east-1:123456789012:certificate/b", RequestsPer5Minutes: 2000}
	for name, change := range map[string]func(*Stage){
		"another region": func(s *Stage) { s.Region = "eu-central-1" }, "no domain of the API": func(s *Stage) { s.Domain = "" },
		"links that lead around it": func(s *Stage) { s.PublicURL = "https://origin.auth.example.com" },
	} {
		wrong := s
		if change(&wrong); wrong.check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	_, api, err := stacks(cdk.NewApp(nil), s, v, built(t, v))
	if err != nil {
		t.Fatal(err)
	}
	code := resources(t, api.stack)
	distributions := of(code, "AWS::CloudFront::Distribution")
	if len(distributions) != 1 || len(of(code, "AWS::SecretsManager::Secret")) != 1 {
		t.Fatalf("%d distributions", len(distributions))
	}
	const secret = `{"Fn::Join":["",["{{resolve:secretsmanager:",{"Ref":"OriginSecret"},":SecretString}}"]]}`
	for _, d := range distributions {
		p := text(d.Properties)
		for _, want := range []string{
			`"HeaderName":"X-Origin-Verify","HeaderValue":` + secret, `"OriginProtocolPolicy":"https-only"`, `"ViewerProtocolPolicy":"https-only"`,
			`"DomainName":"origin.auth.example.com"`, `"WebACLId":{"Fn::GetAtt":["Firewall","Arn"]}`, `"MinimumProtocolVersion":"TLSv1.2_2021"`,
			`"CachePolicyId":"` + cachingDisabled + `"`, `"Aliases":["auth.example.com"]`,
		} {
			if !strings.Contains(p, want) {
				t.Errorf("no %s in %s", want, p)
			}
		}
	}
	for _, wall := range of(code, "AWS::WAFv2::WebACL") {
		if p := text(wall.Properties); !strings.Contains(p, `"Scope":"CLOUDFRONT"`) || !strings.Contains(p, `"Limit":2000`) || !strings.Contains(p, `"Block":{}`) {
			t.Error(p)
		}
	}
	for id, f := range of(code, "AWS::Lambda::Function") {
		if !strings.Contains(text(f.Properties), `"LANYARD_ORIGIN_SECRET":`+secret) {
			t.Errorf("%s does not know the secret", id)
		}
	}
	for _, a := range of(code, "AWS::ApiGatewayV2::Api") {
		if a.Properties["DisableExecuteApiEndpoint"] != true {
			t.Error("the default endpoint leads around the front")
		}
	}
}

type resource struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
}

// resources gives a stack's resources by logical id.
func resources(t *testing.T, s cdk.Stack) map[string]resource {
	t.Helper()
	raw, err := json.Marshal(assertions.Template_FromStack(s, nil).ToJSON())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Resources map[string]resource }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Resources
}

func of(all map[string]resource, kind string) map[string]resource {
	out := map[string]resource{}
	for id, r := range all {
		if r.Type == kind {
			out[id] = r
		}
	}
	return out
}

func policyStatements(t *testing.T, r resource) []map[string]any {
	t.Helper()
	raw := text(r.Properties["Policies"])
	var policies []struct {
		PolicyDocument struct{ Statement []map[string]any }
	}
	if err := json.Unmarshal([]byte(raw), &policies); err != nil {
		t.Fatalf("policies %s: %v", raw, err)
	}
	var out []map[string]any
	for _, p := range policies {
		out = append(out, p.PolicyDocument.Statement...)
	}
	return out
}

// text gives v as JSON with sorted keys.
func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// unlisted writes lists of one as the value alone: IAM takes both for the same.
func unlisted(s string) string {
	return regexp.MustCompile(`\[("[^",\]]*")\]`).ReplaceAllString(s, "$1")
}
