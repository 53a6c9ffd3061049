// Drives session.mjs as a browser with two tabs would, with an account that it
// registers: node session.test.mjs ORIGIN
import assert from "node:assert/strict";
import { createClient } from "./session.mjs";

const origin = process.argv[2];
if (!origin) {
  console.error("usage: node session.test.mjs ORIGIN, such as http://127.0.0.1:8080");
  process.exit(2);
}

// A cookie jar around fetch, which Node has none of.
const jar = new Map();
const sent = [];
const plain = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const path = new URL(url).pathname;
  sent.push(`${options.method} ${path}`);
  const cookie = [...jar].filter(([, c]) => path.startsWith(c.path)).map(([name, c]) => `${name}=${c.value}`).join("; ");
  const answer = await plain(url, { ...options, headers: { ...options.headers, ...(cookie && { cookie }), origin, "sec-fetch-site": "same-origin" } });
  for (const line of answer.headers.getSetCookie()) {
    const [pair, ...attributes] = line.split("; ");
    const [name, value] = pair.split("=");
    const path = attributes.find((a) => a.startsWith("Path="))?.slice(5) ?? "/";
    assert(attributes.includes("HttpOnly"), line);
    if (attributes.includes("Max-Age=0") || value === "") jar.delete(name);
    else jar.set(name, { value, path });
  }
  return answer;
};

const one = createClient(origin);
const two = createClient(origin); // another tab: the same cookies
const name = `tabs-${Date.now()}`;
const password = "two tabs of one browser";
await one.call("POST", "/api/auth/register", { username: name, password }); // without an address: active at once
const { user, session, tokens } = await one.signIn(name, password);
assert.equal(user.username, name);
assert.equal(tokens, undefined, "a token was readable");
assert(Date.parse(session.refreshExpiresAt) > Date.parse(session.expiresAt));
assert.equal((await two.me()).id, user.id);

// The access token ended: the browser dropped its cookie.
jar.delete("lanyard_access");
sent.length = 0;
const answers = await Promise.all([one.me(), one.me(), two.me()]);
assert(answers.every((a) => a.id === user.id), "a tab was logged out");
assert(sent.filter((s) => s.endsWith("/refresh")).length <= 2, `more than one refresh a tab: ${sent}`);

for (const who of [name, "nobody@example.com"]) {
  await assert.rejects(one.signIn(who, "not the password"), { code: "invalid_credentials", status: 401 });
}
await one.signOut();
assert.equal(jar.has("lanyard_refresh"), false);
await assert.rejects(two.me(), { status: 401 });
console.log("1 passed, 0 failed");
