// A session in a browser: cookies that scripts cannot read, an access token
// that ends every 15 minutes, a refresh that nobody notices.

// createClient gives a client of the API. origin is "" where Lanyard answers
// under the page's own origin, or its origin where it is another one of the
// same site; that one must then name the page's in LANYARD_CORS_ORIGINS.
export function createClient(origin = "") {
  let refreshing; // of this tab; another tab may do the same at the same time
  let refreshed = 0; // how often that went well

  const send = (method, path, body) =>
    fetch(origin + path, {
      method,
      credentials: "include",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });

  // refresh renews the session, unless that happened since a request was sent.
  const refresh = async (before) => {
    if (refreshed > before) return true;
    refreshing ??= send("POST", "/api/auth/refresh").finally(() => (refreshing = undefined)).then((answer) => {
      refreshed += answer.ok;
      return answer.ok;
    });
    return refreshing;
  };

  // call answers with the body, or throws the problem. A 401 because the
  // access token ended is met by one refresh and one more try.
  const call = async (method, path, body) => {
    const before = refreshed;
    let answer = await send(method, path, body);
    if (answer.status === 401 && !path.startsWith("/api/auth/login")) {
      const { code } = await answer.clone().json();
      if (["unauthenticated", "token_expired"].includes(code) && (await refresh(before))) {
        answer = await send(method, path, body);
      }
    }
    if (answer.status === 204) return undefined;
    const result = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(result.detail), result);
    return result;
  };

  return {
    call,
    // who is an address or a username; no username has an @.
    signIn: (who, password) => call("POST", "/api/auth/login", { [who.includes("@") ? "email" : "username"]: who, password }),
    secondFactor: (mfaToken, code) => call("POST", "/api/auth/mfa/verify", { mfaToken, code }),
    me: () => call("GET", "/api/auth/me"),
    signOut: () => call("POST", "/api/auth/logout"),
  };
}
