#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { launch } from './launcher.js'

// A clone has the TypeScript sources, the published package a bundle of them.
const source = fileURLToPath(new URL('./commands/main.ts', import.meta.url))
const bundle = fileURLToPath(new URL('./cli/main.js', import.meta.url))

await launch(existsSync(source) ? source : bundle, process.argv.slice(2))
