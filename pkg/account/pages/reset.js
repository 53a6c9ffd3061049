"use strict";
const form = document.getElementById("form");
const status = document.getElementById("status");
const field = document.getElementById("password");
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
    validation_failed: form.dataset.refused,
  })[problem.code] || problem.detail;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.querySelector("button").disabled = true;
  status.textContent = form.dataset.wait;
  try {
    const answer = await fetch("../reset-password", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, newPassword: field.value }),
    });
    if (answer.ok) {
      form.hidden = true;
      status.textContent = form.dataset.done;
      return;
    }
    const problem = await answer.json();
    // The reasons are in English; elsewhere the page's own words stand for them.
    const reasons = document.documentElement.lang === "en" ? (problem.errors || []).map((e) => e.message) : [];
    status.textContent = reasons.join(" ") || say(problem);
    field.focus();
  } catch {
    status.textContent = form.dataset.unreachable;
  }
  form.querySelector("button").disabled = false;
});
