import js from '@eslint/js';
import globals from 'globals';

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: globals.browser },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-implicit-coercion': 'error',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'What comes from a trace is text: textContent.' },
        { property: 'outerHTML', message: 'What comes from a trace is text: textContent.' },
        { property: 'insertAdjacentHTML', message: 'What comes from a trace is text: append.' },
      ],
    },
  },
  { files: ['tests/**/*.mjs'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
];
