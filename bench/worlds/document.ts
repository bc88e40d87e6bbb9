/** Puts what was measured between its marks in a document, and finds it there again. */

const begin = (name: string): string => `<!-- worlds: ${name} -->`;
const END = "<!-- /worlds -->";

export function replaceSection(document: string, name: string, text: string): string {
  const { from, until } = placeOf(document, name);
  return `${document.slice(0, from)}\n\n${text.trim()}\n\n${document.slice(until)}`;
}

export function sectionOf(document: string, name: string): string {
  const { from, until } = placeOf(document, name);
  return document.slice(from, until).trim();
}

function placeOf(
  document: string,
  name: string,
): { readonly from: number; readonly until: number } {
  const mark = document.indexOf(begin(name));
  const until = document.indexOf(END, mark);
  if (mark === -1 || until === -1) throw new Error(`the document has no place for ${name}`);
  return { from: mark + begin(name).length, until };
}
