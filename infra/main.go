// Command infra is the CDK app of Lanyard: a stack of what must be kept (the
// table, the mail identity) and one of what every deployment replaces (the
// functions, the API, alarms). What it deploys follows from api/operations.json.
//
// It is a module of its own, because no function needs the CDK, and knows the
// code only by that file.
package main

import (
	"fmt"
	"os"

	cdk "github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	app := cdk.NewApp(nil)
	name, ok := app.Node().TryGetContext(str("stage")).(string)
	if !ok {
		return fmt.Errorf("context stage: expected -c stage=dev or another stage")
	}
	s, err := stage(name)
	if err != nil {
		return err
	}
	v, err := readInventory("../api/operations.json")
	if err != nil {
		return err
	}
	if _, _, err := stacks(app, s, v, "../dist"); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}

// stacks makes both stacks of a stage.
func stacks(app cdk.App, s Stage, v *inventory, dist string) (*dataStack, *apiStack, error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	data := newDataStack(app, "Lanyard-"+s.Name+"-data", s, v)
	api, err := newAPIStack(app, "Lanyard-"+s.Name+"-api", s, v, data, dist)
	return data, api, err
}
