package lambdahost

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/awskeys"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/gateway"
	"github.com/lanyard-auth/lanyard/pkg/lambdahost/awsenv"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// version is set by the linker.
var version = "dev"

// Assemble reads the environment of a function and makes its assembly.
func Assemble() (*assembly.Assembly, error) { return assemble(nil) }

// KeyService connects to what seals the secrets of second factors. It is given
// to the functions that seal or open them, so that no other links its client.
type KeyService func(config.MFA, aws.Config) (mfa.KeyService, error)

func assemble(connect KeyService) (*assembly.Assembly, error) {
	cfg, err := config.FromEnvironment()
	if err != nil {
		return nil, err
	}
	sdk, err := awsenv.Load()
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("LANYARD_LOG_LEVEL: %w", err)
	}
	keys, err := awskeys.Source(cfg.Keys, sdk)
	if err != nil {
		return nil, err
	}
	cached, err := assembly.CachedKeys(keys, cfg.Keys.Reload, time.Now)
	if err != nil {
		return nil, err
	}
	var seals mfa.KeyService
	if connect != nil && len(cfg.MFA.KMSKeys) > 0 {
		if seals, err = connect(cfg.MFA, sdk); err != nil {
			return nil, err
		}
	}
	return &assembly.Assembly{Keys: cached, Version: version, KeyService: seals, Deps: service.Deps{
		Config: cfg, Table: table.New(sdk, cfg.Table, table.Options{Endpoint: cfg.Dynamo}), Now: time.Now,
		Log:           slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level})),
		SessionsEnded: func(string) {}, // other instances follow within the session-check bound
	}}, nil
}

// fail ends a function that cannot start: Lambda reports an init error.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Run hosts one operation behind the HTTP API. It does not return.
func Run(bind func(*assembly.Assembly) (api.Operation, error)) { RunWith(nil, bind) }

// RunWith is Run with a key service, which is used where one is configured.
func RunWith(connect KeyService, bind func(*assembly.Assembly) (api.Operation, error)) {
	a, err := assemble(connect)
	if err != nil {
		fail(err)
	}
	op, err := bind(a)
	if err != nil {
		fail(err)
	}
	o := a.Options(gateway.Behind(a.Deps.Config.OriginSecret, gateway.IdentifyLambda))
	o.Observe = a.Observer(metrics.Observer(os.Stdout, a.Deps.Log, a.Deps.Config.Stage, a.Deps.Now))
	h, err := api.NewHandler(o, op)
	if err != nil {
		fail(err)
	}
	lambda.Start(gateway.Lambda(h))
}

// RunAuthorizer hosts the authorizer. It does not return.
func RunAuthorizer() {
	a, err := Assemble()
	if err != nil {
		fail(err)
	}
	auth, _, err := a.Authorizer()
	if err != nil {
		fail(err)
	}
	lambda.Start(auth.Authorize)
}
