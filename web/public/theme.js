/* Sets the theme before the first paint. A file of its own, so that the content security policy needs no inline script. */
(function () {
  let choice = "system";
  try {
    choice = localStorage.getItem("strata.theme") || "system";
  } catch {
    /* storage may be forbidden; the system's theme is then followed */
  }
  const dark =
    choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
})();
