"use strict";
const form = document.getElementById("form");
const status = document.getElementById("status");
const token = location.pathname.split("/").pop();
// say gives a problem in the words of the page, where it has some.
const say = (problem) =>
  ({
    unauthenticated: form.dataset.signIn,
    token_expired: form.dataset.signIn,
    session_revoked: form.dataset.signIn,
    invalid_or_expired_token: form.dataset.ended,
    too_many_requests: form.dataset.tooOften,
    password_refused: form.dataset.refused,
  })[problem.code] || problem.detail;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.querySelector("button").disabled = true;
  status.textContent = form.dataset.wait;
  try {
    const answer = await fetch("../accept", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) {
      form.hidden = true;
      status.textContent = form.dataset.done;
      return;
    }
    const problem = await answer.json();
    status.textContent = say(problem);
  } catch {
    status.textContent = form.dataset.unreachable;
  }
  form.querySelector("button").disabled = false;
});
