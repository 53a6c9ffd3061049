"use strict";
const form = document.getElementById("form");
const status = document.getElementById("status");
const token = location.pathname.split("/").pop();
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.querySelector("button").disabled = true;
  status.textContent = "One moment…";
  try {
    const answer = await fetch("../accept", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) {
      form.hidden = true;
      status.textContent = "Welcome. You are a member now.";
      return;
    }
    const problem = await answer.json();
    status.textContent =
      answer.status === 401 ? "Sign in first, in this browser, then open this link again." : problem.detail;
  } catch {
    status.textContent = "That did not work. Check your connection and try again.";
  }
  form.querySelector("button").disabled = false;
});
