// A browser's cookies by tough-cookie's strictest rules, through sign-in, use,
// refresh and sign-out. In: {origin, server, email, password}: the jar believes
// it speaks to origin (https), requests go to server. Out: one entry a step,
// {step, status, held: {path: [names]}, rejected: [reason], cookies: […]}.
import { CookieJar } from 'tough-cookie';
import { text } from 'node:stream/consumers';

const { origin, server, email, password } = JSON.parse(await text(process.stdin));
const jar = new CookieJar(undefined, { rejectPublicSuffixes: true, looseMode: false, prefixSecurity: 'strict' });
const steps = [];

async function step(name, method, path, body) {
  const headers = { 'Sec-Fetch-Site': 'same-origin', Origin: origin };
  const cookie = await jar.getCookieString(origin + path, { http: true, sameSiteContext: 'strict' });
  if (cookie) headers.Cookie = cookie;
  if (body) headers['Content-Type'] = 'application/json';
  const res = await fetch(server + path, { method, headers, body: body && JSON.stringify(body) });
  const rejected = [];
  for (const line of res.headers.getSetCookie()) {
    try {
      await jar.setCookie(line, origin + path, { http: true, ignoreError: false, sameSiteContext: 'strict' });
    } catch (e) {
      rejected.push(`${line.split('=')[0]}: ${e.message}`);
    }
  }
  const held = {};
  for (const p of ['/', '/api/organizations', '/api/auth/refresh']) {
    held[p] = (await jar.getCookies(origin + p)).map((c) => c.key).sort();
  }
  const cookies = (await jar.getCookies(origin + '/api/auth/refresh')).map((c) => ({
    name: c.key, value: c.value, secure: c.secure, httpOnly: c.httpOnly, hostOnly: c.hostOnly, sameSite: c.sameSite, path: c.path,
  }));
  const script = await jar.getCookies(origin + '/api/auth/refresh', { http: false });
  const elsewhere = await jar.getCookies(origin.replace('https:', 'http:') + '/api/auth/refresh');
  const sibling = await jar.getCookies(origin.replace('://auth.', '://other.') + '/api/auth/refresh');
  steps.push({ step: name, status: res.status, body: await res.text(), rejected, held, cookies, leaked: script.length + elsewhere.length + sibling.length });
}

await step('sign in', 'POST', '/api/auth/login', { email, password });
await step('use', 'GET', '/api/auth/me');
await step('refresh', 'POST', '/api/auth/refresh', {});
await step('use again', 'GET', '/api/auth/me');
await step('sign out', 'POST', '/api/auth/logout');
await step('use after', 'GET', '/api/auth/me');
await step('refresh after', 'POST', '/api/auth/refresh', {});
console.log(JSON.stringify(steps));
