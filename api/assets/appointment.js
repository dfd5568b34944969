// The secret of a mailed link stands behind #, which browsers send to nobody. It is handed over in a form, and taken out of the address.
const secret = decodeURIComponent(location.hash.slice(1))
const form = document.getElementById("code")
if (secret && form) {
  history.replaceState(null, "", location.pathname)
  form.elements.token.value = secret
  form.submit()
}
