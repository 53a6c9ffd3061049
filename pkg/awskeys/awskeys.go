// Package awskeys reads the key ring from where a deployment on AWS keeps it:
// the environment, or an SSM parameter.
//
// It must not know what the keys are for.
package awskeys

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

// Source gives the configured source of the key ring. It makes no request yet.
func Source(c config.Keys, sdk aws.Config) (token.Source, error) {
	switch c.Source {
	case "env":
		ring, err := keystore.FromString(c.Ring)
		if err != nil {
			return nil, fmt.Errorf("LANYARD_KEYS: %w", err)
		}
		return token.Static(ring), nil
	case "ssm":
		return &Parameter{Client: ssm.NewFromConfig(sdk), Name: c.Name}, nil
	}
	return nil, fmt.Errorf("LANYARD_KEYS_SOURCE=%s cannot be used in a function: expected env or ssm", c.Source)
}

// Parameter keeps the ring in a SecureString parameter of SSM.
type Parameter struct {
	Client *ssm.Client
	Name   string
}

// Load implements token.Source.
func (p *Parameter) Load(ctx context.Context) (*token.Ring, error) {
	ring, _, err := p.read(ctx)
	return ring, err
}

func (p *Parameter) read(ctx context.Context) (*token.Ring, int64, error) {
	out, err := p.Client.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(p.Name), WithDecryption: aws.Bool(true)})
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read parameter %s: %w", token.ErrUnavailable, p.Name, err)
	}
	ring, err := keystore.FromString(aws.ToString(out.Parameter.Value))
	return ring, out.Parameter.Version, err
}

// Create implements Store. A parameter that exists is left as it is; so is one
// whose ring cannot be read, because overwriting it would end every session.
func (p *Parameter) Create(ctx context.Context, ring *token.Ring) (bool, error) {
	raw, err := ring.Marshal()
	if err != nil {
		return false, err
	}
	_, err = p.Client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(p.Name), Value: aws.String(string(raw)), Type: ssmtypes.ParameterTypeSecureString,
		Tier: ssmtypes.ParameterTierIntelligentTiering, Overwrite: aws.Bool(false),
	})
	var exists *ssmtypes.ParameterAlreadyExists
	if errors.As(err, &exists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create parameter %s: %w", p.Name, err)
	}
	return true, nil
}

// Update implements keystore.Store. SSM has no conditional write, so the
// version is compared after it: the rotator runs alone (reserved concurrency
// 1), and a meeting with a command at the same moment is reported, not hidden.
func (p *Parameter) Update(ctx context.Context, change func(*token.Ring) (*token.Ring, error)) (*token.Ring, error) {
	ring, version, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	next, err := change(ring)
	if err != nil {
		return nil, err
	}
	raw, err := next.Marshal()
	if err != nil {
		return nil, err
	}
	out, err := p.Client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(p.Name), Value: aws.String(string(raw)), Type: ssmtypes.ParameterTypeSecureString,
		Tier: ssmtypes.ParameterTierIntelligentTiering, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("write parameter %s: %w", p.Name, err)
	}
	if out.Version != version+1 {
		return nil, fmt.Errorf("parameter %s was changed by somebody else at the same time (version %d after %d): look at it before the next rotation", p.Name, out.Version, version)
	}
	return next, nil
}
