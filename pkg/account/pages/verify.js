"use strict";
const form = document.getElementById("form");
const status = document.getElementById("status");
const token = location.pathname.split("/").pop();
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.querySelector("button").disabled = true;
  status.textContent = "One moment…";
  try {
    const answer = await fetch("../verify-email", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) {
      form.hidden = true;
      status.textContent = "Thank you. Your address is confirmed, and you can sign in.";
      return;
    }
    const problem = await answer.json();
    status.textContent = problem.detail;
  } catch {
    status.textContent = "That did not work. Check your connection and try again.";
  }
  form.querySelector("button").disabled = false;
});
