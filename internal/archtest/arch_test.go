// Package archtest holds the project to its import rules: the architecture
// fails the build when it bends.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lanyard-auth/lanyard/"

type pkg struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	GoFiles    []string
}

// kit reports whether a package is a test kit: only tests import those.
func kit(path string) bool {
	return strings.HasPrefix(path, module) && strings.HasSuffix(path, "test") && !strings.HasSuffix(path, "/test")
}

// packages lists the module's packages as the go command sees them.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", module+"...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

func under(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool {
		return path == module+r || strings.HasPrefix(path, module+r+"/")
	})
}

// The packages that may know a thing, by the import that gives it away.
var owners = []struct {
	what, imports string
	may           []string
}{
	{"DynamoDB's types", "github.com/aws/aws-sdk-go-v2/service/dynamodb", []string{"pkg/table", "internal/localdynamo"}},
	{"guregu/dynamo", "github.com/guregu/dynamo", []string{"pkg/table", "internal/localdynamo"}},
	{"the AWS SDK", "github.com/aws/aws-sdk-go-v2", []string{"pkg/table", "pkg/awskeys", "pkg/mail/ses", "pkg/mfa/kms", "pkg/lambdahost", "internal", "cmd", "functions"}},
	{"Lambda's event types", "github.com/aws/aws-lambda-go", []string{"pkg/gateway", "pkg/authorizer", "pkg/lambdahost", "pkg/mail/stream", "functions", "internal", "test"}},
	{"huma", "github.com/danielgtaylor/huma", []string{"pkg/api", "pkg/entity"}}, // entity: the schema of attribute values
	{"the embedded engine", module + "internal/localdynamo", []string{"cmd", "internal/localdynamo", "test"}},
	{"bbolt", "go.etcd.io/bbolt", []string{"internal/localdynamo"}},
	// Both look methods up by name, which makes every function that reaches them half as large again.
	{"html/template", "html/template", []string{"pkg/mail", "internal", "cmd", "examples"}}, // mail: the mailbox, which no function serves
	{"text/template", "text/template", []string{"pkg/template", "internal", "cmd", "examples"}},
	{"golang-jwt", "github.com/golang-jwt/jwt", []string{"pkg/token"}},
}

func TestThingsAreKnownWhereTheyBelong(t *testing.T) {
	for _, p := range packages(t) {
		for _, o := range owners {
			for _, imp := range p.Imports {
				if strings.HasPrefix(imp, o.imports) && !under(p.ImportPath, o.may...) && !kit(p.ImportPath) {
					t.Errorf("%s imports %s: %s belongs to %s", p.ImportPath, imp, o.what, strings.Join(o.may, ", "))
				}
			}
		}
	}
}

func TestNothingReachesBackUp(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			switch {
			case under(p.ImportPath, "pkg") && under(imp, "cmd", "functions", "infra", "internal", "test"):
				t.Errorf("%s imports %s: pkg stands below it", p.ImportPath, imp)
			case under(p.ImportPath, "functions") && under(imp, "functions", "internal", "cmd"):
				t.Errorf("%s imports %s: a function imports pkg alone", p.ImportPath, imp)
			case under(p.ImportPath, "internal/localdynamo") && under(imp, "pkg") && !under(p.ImportPath, "internal/localdynamo/dynamotest"):
				t.Errorf("%s imports %s: the engine knows nothing of Lanyard", p.ImportPath, imp)
			case kit(imp) && !kit(p.ImportPath):
				t.Errorf("%s imports the test kit outside its tests", p.ImportPath)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestNoPackageIsNamedForNothing(t *testing.T) {
	for _, p := range packages(t) {
		for _, bad := range []string{"utils", "util", "common", "helpers", "helper", "models", "misc", "base"} {
			if p.Name == bad {
				t.Errorf("%s is named for nothing", p.ImportPath)
			}
		}
	}
}
