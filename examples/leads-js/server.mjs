// The leads service of examples/leads in JavaScript: it verifies access tokens
// by itself and asks Lanyard for rights. Node 20.
//
//   node server.mjs --lanyard http://127.0.0.1:8080 --listen 8090
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { JwtVerifier } from "aws-jwt-verify";

const { values } = parseArgs({
  options: {
    lanyard: { type: "string", default: "http://127.0.0.1:8080" },
    audience: { type: "string", default: "lanyard" },
    listen: { type: "string", default: "8090" },
  },
});
const { lanyard, audience } = values;

const verifier = JwtVerifier.create({
  issuer: lanyard,
  audience,
  jwksUri: `${lanyard}/.well-known/jwks.json`,
});
if (lanyard.startsWith("http://")) {
  // On a loopback host: the library itself fetches keys over https only.
  verifier.cacheJwks(await (await fetch(`${lanyard}/.well-known/jwks.json`)).json());
}

// who gives the claims of a good token, or undefined.
async function who(request) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) return undefined;
  try {
    return { token, ...(await verifier.verify(token)) };
  } catch {
    return undefined;
  }
}

// may asks Lanyard, in the caller's own name. No answer is no right.
async function may(caller, entityId, action) {
  const answer = await fetch(`${lanyard}/api/permissions/check`, {
    method: "POST",
    headers: { authorization: `Bearer ${caller.token}`, "content-type": "application/json" },
    body: JSON.stringify({ checks: [{ entityId, action }] }),
    signal: AbortSignal.timeout(5000),
  }).catch(() => undefined);
  if (!answer?.ok) return false;
  const { results } = await answer.json();
  return results.length === 1 && results[0].allowed === true;
}

const leads = [{ id: 1, owner: undefined, title: "walk-in" }];

const server = createServer(async (request, response) => {
  const send = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const caller = await who(request);
  if (!caller) return send(401, { error: "sign in first" });
  const entity = /^\/entities\/([^/]+)\/leads$/.exec(request.url);
  if (request.method !== "GET") return send(405, { error: "this example only reads" });
  if (request.url === "/leads") return send(200, { items: leads.filter((l) => l.owner === caller.userId), username: caller.username });
  if (!entity) return send(404, { error: "no such page" });
  if (!(await may(caller, entity[1], "view"))) return send(403, { error: "not yours to view" });
  send(200, { items: leads.filter((l) => l.entityId === entity[1]) });
});
server.listen(Number(values.listen), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
