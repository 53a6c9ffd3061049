package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
)

// TestTemplatesAreWhatCloudFormationTakes has cfn-lint, which is AWS's, hold
// both templates of a stage with every option to the schemas of their
// resources. Where there is no cfn-lint, nothing is said.
func TestTemplatesAreWhatCloudFormationTakes(t *testing.T) {
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("no cfn-lint here")
	}
	v, err := readInventory("../api/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage("prod")
	if err != nil {
		t.Fatal(err)
	}
	s.Region, s.Domain, s.Certificate = "us-east-1", "origin.auth.example.com", "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
	s.Front = &Front{Domain: "auth.example.com", Certificate: s.Certificate, RequestsPer5Minutes: 2000}
	s.KMSKey = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	s.AlarmTopic, s.SealWithKMS = "arn:aws:sns:us-east-1:123456789012:oncall", true
	data, api, err := stacks(cdk.NewApp(nil), s, v, built(t, v))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"--regions", s.Region, "--template"}
	for name, stack := range map[string]cdk.Stack{"data": data.stack, "api": api.stack} {
		raw, err := json.Marshal(assertions.Template_FromStack(stack, nil).ToJSON())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if out, err := exec.CommandContext(t.Context(), lint, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
