package generate_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/generate"
	"github.com/lanyard-auth/lanyard/pkg/api"
)

// document is the template as plain values; a tag such as !Ref leaves its argument.
func document(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at walks into a document.
func at(t *testing.T, doc any, path ...string) any {
	t.Helper()
	for _, name := range path {
		doc = object(doc)[name]
	}
	if doc == nil {
		t.Errorf("the template has no %s", strings.Join(path, "."))
	}
	return doc
}

func TestTemplatesGatewayAsksTheAuthorizerAtEveryRequest(t *testing.T) {
	doc := document(t)
	authorizer := []string{"Resources", "Api", "Properties", "Auth", "Authorizers", "Lanyard"}
	for name, want := range map[string]any{
		"AuthorizerPayloadFormatVersion": "2.0", // a string: unquoted it would be the number 2
		"EnableSimpleResponses":          true, "EnableFunctionDefaultPermissions": true, "FunctionArn": "Authorizer.Arn",
	} {
		if got := at(t, doc, append(authorizer, name)...); got != want {
			t.Errorf("%s is %#v", name, got)
		}
	}
	identity := object(at(t, doc, append(authorizer, "Identity")...))
	if len(identity) != 1 || identity["ReauthorizeEvery"] != 0 {
		t.Errorf("identity %v: every source that is listed would be required, and answers must not be kept", identity)
	}
	if v := at(t, doc, "Resources", "Api", "Properties", "StageName"); v != "$default" {
		t.Errorf("stage %v", v)
	}
}

func TestTemplatesCORSIsTheCodes(t *testing.T) {
	cors := object(at(t, document(t), "Resources", "Api", "Properties", "CorsConfiguration"))
	code := api.CrossOrigin()
	for name, want := range map[string]any{
		"AllowOrigins": "CorsOrigins", "AllowMethods": code.Methods, "AllowHeaders": code.Headers, "ExposeHeaders": code.Exposed,
		"AllowCredentials": true, "MaxAge": code.MaxAge,
	} {
		if fmt.Sprint(cors[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, cors[name], want)
		}
		delete(cors, name)
	}
	if len(cors) > 0 {
		t.Errorf("more than the code knows: %v", cors)
	}
}

func TestTemplatesWorkersAreDriven(t *testing.T) {
	doc := document(t)
	inventory := generate.NewInventory(catalog.Operations(catalog.Services{}, nil))
	source := []string{"Resources", "Mailer", "Properties", "Events", "Changes", "Properties"}
	for name, want := range map[string]any{
		"Stream": "Table.StreamArn", "StartingPosition": "TRIM_HORIZON", "FunctionResponseTypes": []any{"ReportBatchItemFailures"},
		"BisectBatchOnFunctionError": true, "MaximumRetryAttempts": 5,
	} {
		if got := at(t, doc, append(source, name)...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v", name, got)
		}
	}
	if got := at(t, doc, append(source, "DestinationConfig", "OnFailure", "Destination")...); got != "DeadLetters.Arn" {
		t.Errorf("what fails goes to %v", got)
	}
	if got := fmt.Sprint(at(t, doc, append(source, "FilterCriteria", "Filters")...)); !strings.Contains(got, inventory.MailerFilter) {
		t.Errorf("filter %s", got)
	}
	for function, event := range map[string]string{"Mailer": "Sweep", "KeyRotator": "Daily"} {
		path := []string{"Resources", function, "Properties", "Events", event}
		if got := at(t, doc, append(path, "Type")...); got != "ScheduleV2" {
			t.Errorf("%s is called by %v", function, got)
		}
		if got := fmt.Sprint(at(t, doc, append(path, "Properties", "ScheduleExpression")...)); !strings.HasPrefix(got, "rate(1 ") {
			t.Errorf("%s is called at %s", function, got)
		}
	}
	if got := at(t, doc, "Resources", "KeyRotator", "Properties", "ReservedConcurrentExecutions"); got != 1 {
		t.Errorf("%v rotators at once", got)
	}
}

func TestTemplateKeepsTheTable(t *testing.T) {
	doc := document(t)
	for name, want := range map[string]any{
		"DeletionProtectionEnabled": true, "PointInTimeRecoverySpecification": "map[PointInTimeRecoveryEnabled:true]",
		"SSESpecification": "map[SSEEnabled:true]", "StreamSpecification": "map[StreamViewType:NEW_IMAGE]",
	} {
		if got := at(t, doc, "Resources", "Table", "Properties", name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v", name, got)
		}
	}
	for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if got := at(t, doc, "Resources", "Table", policy); got != "Retain" {
			t.Errorf("%s is %v", policy, got)
		}
	}
}

func TestTemplatesFunctionsAreTheBuiltBinaries(t *testing.T) {
	doc := document(t)
	functions := 0
	for name, r := range object(at(t, doc, "Resources")) {
		f := object(r)
		if f["Type"] != "AWS::Serverless::Function" {
			continue
		}
		functions++
		if object(f["Metadata"])["SkipBuild"] != true {
			t.Errorf("%s would be built by sam", name)
		}
		if uri := fmt.Sprint(object(f["Properties"])["CodeUri"]); !regexp.MustCompile(`^dist/[a-z-]+/$`).MatchString(uri) {
			t.Errorf("%s is in %s", name, uri)
		}
	}
	if functions < len(workers)+1 {
		t.Errorf("%d functions", functions)
	}
	for name, want := range map[string]any{"Runtime": "provided.al2023", "Handler": "bootstrap", "Tracing": "Active"} {
		if got := at(t, doc, "Globals", "Function", name); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
}

// TestTemplateIsWhatSAMAndCloudFormationTake has cfn-lint, which is AWS's,
// transform the template as SAM does, and hold what comes of it to the schemas
// of every resource. Where there is no cfn-lint, nothing is said.
func TestTemplateIsWhatSAMAndCloudFormationTake(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("no cfn-lint here")
	}
	check := func(file string) string {
		cmd := exec.CommandContext(t.Context(), lint, "--regions", "eu-central-1", "--template", file)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil {
			return ""
		}
		return fmt.Sprintf("%v\n%s", err, out)
	}
	if out := check("template.yaml"); out != "" {
		t.Error(out)
	}
	// The same with a mistake: it does look.
	raw, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(raw), "StartingPosition: TRIM_HORIZON", "StartingPosition: YESTERDAY", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := check(wrong); !strings.Contains(out, "YESTERDAY") {
		t.Errorf("a wrong template is taken: %s", out)
	}
}
