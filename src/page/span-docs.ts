import type { AttributeSpec } from '../catalogue/attribute-spec.ts'
import { type AttributeName, attributes } from '../catalogue/attributes.ts'
import { attributesOf, specOf } from '../catalogue/span-effect.ts'
import { attributeAnchor, spanAnchor, spansWith } from '../catalogue/span-index.ts'
import { type SpanName, spans } from '../catalogue/spans.ts'

/**
 * Documentation of every span and attribute as one HTML page with the anchors of otel/SPANS.md. Jaeger's page links
 * here, which works without internet access.
 */
export function renderSpanDocs(): string {
  const names = Object.keys(spans) as SpanName[]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Spans · tracemesh</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/app.css">
</head>
<body>
<header><h1><img src="/icon.svg" alt="" width="22" height="22"> Spans</h1></header>
<nav aria-label="Views"><a href="/#/topology">Live mesh</a></nav>
<main>
<section class="card prose"><p>${names.map(spanLink).join(' ')}</p></section>
${names.map(renderSection).join('\n')}
${renderIndex()}
</main>
</body>
</html>
`
}

function renderSection(name: SpanName): string {
  const spec = specOf(spans, name)
  const { brief, when, optional, failed } = spec
  const rows = attributesOf(spec).map((attribute) => {
    const { brief }: AttributeSpec = attributes[attribute]
    const level = optional?.[attribute]
    const text =
      level === undefined ? brief : `${brief} ${level === 'recommended' ? 'Recommended.' : `Present ${level}.`}`
    return `<tr><td><a href="#${attributeAnchor(attribute)}"><code>${attribute}</code></a></td><td>${escapeHtml(text)}</td></tr>`
  })
  const status = failed === true ? ' Its status is ERROR.' : ''
  return `<section class="card prose" id="${spanAnchor(name)}"><h2><code>${name}</code></h2>
<p>${escapeHtml(brief)} Emitted: ${escapeHtml(when)}.${status}</p>
<table><tbody>${rows.join('')}</tbody></table></section>`
}

function renderIndex(): string {
  const rows = (Object.keys(attributes) as AttributeName[]).map((name) => {
    const { brief }: AttributeSpec = attributes[name]
    const carriers = spansWith(name)
    const where = carriers.length === Object.keys(spans).length ? 'every span' : carriers.map(spanLink).join(' ')
    return `<tr id="${attributeAnchor(name)}"><td><code>${name}</code></td><td>${escapeHtml(brief)}</td><td>${where}</td></tr>`
  })
  return `<section class="card prose" id="all-attributes"><h2>All attributes</h2>
<table><tbody>${rows.join('\n')}</tbody></table></section>`
}

function spanLink(name: SpanName): string {
  return `<a href="#${spanAnchor(name)}"><code>${name}</code></a>`
}

/** Escapes a brief; its only Markdown is inline code. */
function escapeHtml(text: string): string {
  const plain = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return plain.replaceAll(/`([^`]*)`/g, '<code>$1</code>')
}
