"use strict";
const form = document.getElementById("form");
const status = document.getElementById("status");
const field = document.getElementById("password");
const token = location.pathname.split("/").pop();
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.querySelector("button").disabled = true;
  status.textContent = "One moment…";
  try {
    const answer = await fetch("../reset-password", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, newPassword: field.value }),
    });
    if (answer.ok) {
      form.hidden = true;
      status.textContent = "Your new password is set, and you can sign in.";
      return;
    }
    const problem = await answer.json();
    const reasons = (problem.errors || []).map((e) => e.message).join("; ");
    status.textContent = problem.detail + (reasons ? " " + reasons : "");
    field.focus();
  } catch {
    status.textContent = "That did not work. Check your connection and try again.";
  }
  form.querySelector("button").disabled = false;
});
