// Package kms seals the secrets of second factors with AWS KMS. It is apart from
// package mfa so that only functions that seal or open them link the SDK's
// client.
//
// Secrets go to KMS themselves: they are far below the 4 KB that Encrypt takes,
// so there is no data key that could be kept. Each is bound to its user by the
// encryption context, which KMS authenticates, logs in CloudTrail, and compares
// with key and IAM policies.
//
// It must not know the table, or what the secrets are used for.
//
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
// https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
package kms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
)

// The encryption context: policies may ask for the purpose, and nothing opens
// without its user.
const (
	ContextPurpose = "lanyard:purpose"
	ContextUser    = "lanyard:user"
	PurposeTOTP    = "totp"
)

// A request waits for somebody who signs in, so it is tried again soon or not
// at all.
const (
	attempts   = 3
	maxBackoff = 200 * time.Millisecond
	timeout    = 4 * time.Second // of all attempts together
)

// Service is AWS KMS with the keys of one deployment.
type Service struct {
	client *kms.Client
	keys   []key
}

// key is a key and the region that it is in.
type key struct{ arn, region string }

// Connect gives the service with the configured keys: the first seals, all of
// them open. It makes no request.
func Connect(c config.MFA, sdk aws.Config) (mfa.KeyService, error) {
	s := &Service{client: kms.NewFromConfig(sdk, func(o *kms.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff })
	})}
	for _, name := range c.KMSKeys {
		a, err := arn.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("KMS key %q: %w", name, err)
		}
		s.keys = append(s.keys, key{name, a.Region})
	}
	if len(s.keys) == 0 {
		return nil, errors.New("no KMS key is configured")
	}
	return s, nil
}

func contextOf(userID string) map[string]string {
	return map[string]string{ContextPurpose: PurposeTOTP, ContextUser: userID}
}

func in(k key) func(*kms.Options) { return func(o *kms.Options) { o.Region = k.region } }

// Encrypt implements mfa.KeyService.
func (s *Service) Encrypt(ctx context.Context, secret []byte, userID string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := s.client.Encrypt(ctx, &kms.EncryptInput{
		KeyId: aws.String(s.keys[0].arn), Plaintext: secret, EncryptionContext: contextOf(userID),
	}, in(s.keys[0]))
	if err != nil {
		return nil, fmt.Errorf("seal with KMS: %w", err)
	}
	return out.CiphertextBlob, nil
}

// Decrypt implements mfa.KeyService. The key is named, though the ciphertext
// says it too, so that nothing opens that somebody sealed with a key of theirs.
func (s *Service) Decrypt(ctx context.Context, sealed []byte, userID string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	for i, k := range s.keys {
		var out *kms.DecryptOutput
		out, err = s.client.Decrypt(ctx, &kms.DecryptInput{
			KeyId: aws.String(k.arn), CiphertextBlob: sealed, EncryptionContext: contextOf(userID),
		}, in(k))
		if err == nil {
			return out.Plaintext, i > 0, nil
		}
		var other *types.IncorrectKeyException
		if !errors.As(err, &other) {
			break
		}
	}
	return nil, false, fmt.Errorf("open with KMS: %w", err)
}
