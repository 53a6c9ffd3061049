// Verifies tokens with jose against a live key set. In: {issuer, audience,
// jwks, tokens: {name: token}} as JSON on stdin; out: {name: sub | error code}.
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { text } from 'node:stream/consumers';

const { issuer, audience, jwks, tokens } = JSON.parse(await text(process.stdin));
const keys = createRemoteJWKSet(new URL(jwks));
const out = {};
for (const [name, token] of Object.entries(tokens)) {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer, audience, typ: 'at+jwt', algorithms: ['ES256', 'EdDSA'],
      requiredClaims: ['exp', 'iat', 'jti', 'sid', 'auth_time'],
    });
    out[name] = payload.sub;
  } catch (e) {
    out[name] = `error: ${e.code}`;
  }
}
console.log(JSON.stringify(out));
