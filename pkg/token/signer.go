package token

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DigestSigner makes an ASN.1 DER signature (SEC 1 C.5) over a SHA-256 digest,
// which is what KMS answers for ECDSA_SHA_256 with MessageType DIGEST.
type DigestSigner func(ctx context.Context, digest [sha256.Size]byte) (der []byte, err error)

// Sign hashes input, has the digest signed, and gives r and s as ES256 wants
// them. So a DigestSigner is a Signer.
func (f DigestSigner) Sign(ctx context.Context, input []byte) ([]byte, error) {
	der, err := f(ctx, sha256.Sum256(input))
	if err != nil {
		return nil, fmt.Errorf("sign digest: %w", err)
	}
	return RawSignature(der)
}

// RawSignature turns the DER form of a P-256 signature into the 64 bytes of r
// and s (RFC 7518 §3.4). It accepts strict DER of two positive integers below
// 2^256 and nothing after them.
func RawSignature(der []byte) ([]byte, error) {
	var r, s big.Int
	in := cryptobyte.String(der)
	var body cryptobyte.String
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1Integer(&r) || !body.ReadASN1Integer(&s) || !body.Empty() {
		return nil, fmt.Errorf("signature is not a DER sequence of two integers")
	}
	if r.Sign() <= 0 || s.Sign() <= 0 || r.BitLen() > 256 || s.BitLen() > 256 {
		return nil, fmt.Errorf("signature integers are out of range")
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}
