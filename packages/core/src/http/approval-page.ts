/** The page behind an approval link: it asks once more, and only its button decides. */

/** A page, and what it may do. */
export interface Page {
  readonly html: string
  /** For the header `content-security-policy`. */
  readonly contentPolicy: string
}

interface ApprovalQuestion {
  /** What the person is asked; from a blueprint, perhaps with data of others in it. */
  readonly message: string
  readonly decision: string
}

const STYLE = `
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 8vh auto; padding: 0 1.25rem }
h1 { font-size: 1.4rem }
.message { white-space: pre-wrap; overflow-wrap: anywhere }
label { display: block; margin: 1rem 0 }
input, textarea { display: block; box-sizing: border-box; width: 100%; padding: .5rem; font: inherit }
button { padding: .6rem 1.4rem; font: inherit; font-weight: 600; cursor: pointer }
`

/** Nothing is written into this text, so there is nothing to escape: it reads the form. */
const SCRIPT = `
const form = document.querySelector('form')
const note = document.querySelector('[role=status]')
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  const said = { decision: form.dataset.decision }
  for (const name of ['actor', 'comment']) {
    const value = form.elements.namedItem(name).value.trim()
    if (value !== '') said[name] = value
  }
  try {
    const reply = await fetch(location.href, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(said),
    })
    if (!reply.ok) throw new Error((await reply.json()).error)
    form.hidden = true
    note.textContent = 'Thank you, your decision is recorded. You can close this page.'
  } catch (error) {
    note.textContent = 'Your decision is not recorded. ' + error.message
    button.disabled = false
  }
})
`

/**
 * The page that asks for a decision.
 * @param nonce - new for each page; only scripts and styles that carry it work.
 */
export function approvalPage({ message, decision }: ApprovalQuestion, nonce: string): Page {
  const said = escaped(decision)
  const body = `<h1>Your decision is needed</h1>
<p class="message">${escaped(message)}</p>
<form data-decision="${said}">
<p>You are about to decide: <strong>${said}</strong></p>
<label>Your name <input name="actor" maxlength="255" autocomplete="name"></label>
<label>Comment (optional) <textarea name="comment" rows="4" maxlength="4000"></textarea></label>
<button type="submit">Confirm: ${said}</button>
</form>
<p role="status"></p>
<noscript><p>Please allow scripts for this page: its button needs one.</p></noscript>
<script nonce="${nonce}">${SCRIPT}</script>`
  return page({ title: 'Your decision is needed', body, nonce, scripts: true })
}

/** A page that says one thing. */
export function noticePage(title: string, text: string, nonce: string): Page {
  const body = `<h1>${escaped(title)}</h1>\n<p class="message">${escaped(text)}</p>`
  return page({ title, body, nonce, scripts: false })
}

interface Parts {
  readonly title: string
  readonly body: string
  readonly nonce: string
  readonly scripts: boolean
}

function page({ title, body, nonce, scripts }: Parts): Page {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(title)}</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
  const allowed = scripts ? [`script-src 'nonce-${nonce}'`, "connect-src 'self'"] : []
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    ...allowed,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return { html, contentPolicy: policy.join('; ') }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (each) => ENTITIES[each] ?? '')
}
