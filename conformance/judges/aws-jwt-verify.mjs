// Verifies tokens with aws-jwt-verify against a live key set; in and out as
// jose.mjs. Its own fetcher speaks https only, so it is given one for http.
import { JwtVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import { text } from 'node:stream/consumers';

const { issuer, audience, jwks, tokens } = JSON.parse(await text(process.stdin));
const verifier = JwtVerifier.create(
  { issuer, audience, jwksUri: jwks },
  { jwksCache: new SimpleJwksCache({ fetcher: { fetch: async (uri) => (await fetch(uri)).arrayBuffer() } }) },
);
const out = {};
for (const [name, token] of Object.entries(tokens)) {
  try {
    out[name] = (await verifier.verify(token)).sub;
  } catch (e) {
    out[name] = `error: ${e.name}`;
  }
}
console.log(JSON.stringify(out));
