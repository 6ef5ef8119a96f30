/** Figures as text: one per line, those of a part indented under its name. */
export function figureLines(figures: object, indent = '  '): string[] {
  return Object.entries(figures).flatMap(([key, value]) => {
    if (!isPart(value)) return [`${indent}${key}: ${valueText(value)}`]
    const inner = Array.isArray(value)
      ? value.map((one) => `${indent}  - ${valueText(one)}`)
      : figureLines(value, `${indent}  `)
    return [`${indent}${key}:`, ...inner]
  })
}

/** Whether it has lines of its own: an object, or a list of objects. */
function isPart(value: unknown): value is object {
  if (Array.isArray(value)) return value.some((one) => typeof one === 'object' && one !== null)
  return typeof value === 'object' && value !== null
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(', ')
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([key, one]) => `${key} ${isPart(one) ? `(${valueText(one)})` : valueText(one)}`)
    .join(', ')
}
