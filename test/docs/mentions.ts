// Finds what a Markdown document claims to exist: paths of this project, make targets, and verbs of
// the command line with their options. Only code counts (spans, blocks, links); prose may say
// "make sense" and "bulkhead is a wall".

export type Mention = { readonly line: number } & (
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "make"; readonly target: string }
  | { readonly kind: "verb"; readonly verb: string; readonly options: readonly string[] }
);

type Code = { readonly text: string; readonly line: number; readonly whole: boolean };

/** Code spans, link targets, and lines of code blocks, fenced or indented. */
function codeOf(markdown: string): readonly Code[] {
  const found: Code[] = [];
  let fenced = false;
  for (const [index, text] of markdown.split("\n").entries()) {
    const line = index + 1;
    if (/^\s*```/.test(text)) {
      fenced = !fenced;
    } else if (fenced || /^ {4}\S/.test(text)) {
      found.push({ text: text.trim(), line, whole: true });
    } else {
      for (const match of text.matchAll(/`([^`]+)`|\]\(([^)#]+)[^)]*\)/g)) {
        found.push({ text: (match[1] ?? match[2] ?? "").trim(), line, whole: false });
      }
    }
  }
  return found;
}

const folders = "packages|apps|spec|docs|scripts|bench|examples|test|bpf|\\.ci";
const pathShape = new RegExp(
  `^(?:\\./)?(?:(?:${folders})/[\\w@.*/-]*|[\\w.-]+\\.(?:md|ts|sh|json|proto)|LICENSE|Makefile)$`,
);

function pathMentions({ text, line, whole }: Code): readonly Mention[] {
  // In a block only the first word and clear paths count: the rest is output or arguments.
  const words = whole ? text.split(/\s+/).filter((word) => word.startsWith("scripts/")) : [text];
  return words
    .filter((word) => pathShape.test(word))
    .map((word) => ({ kind: "path", path: word.replace(/^\.\//, ""), line }));
}

function commandMentions({ text, line }: Code): readonly Mention[] {
  const command = text.replace(/^[$#]\s+/, "").replace(/^sudo\s+/, "");
  const [program = "", first, ...rest] = command.split(/\s+/);
  if (program === "make" && first !== undefined && /^[a-z]+$/.test(first)) {
    return [{ kind: "make", target: first, line }];
  }
  if (/^(?:\.\/)?bulkhead$/.test(program) && first !== undefined && /^[a-z]+$/.test(first)) {
    const options = rest
      .slice(0, ends(rest))
      .filter((word) => /^-{1,2}[a-z]/.test(word))
      .map((word) => word.replace(/=.*$/, ""));
    return [{ kind: "verb", verb: first, options, line }];
  }
  return [];
}

/** Where the command ends: at a pipe, a redirection, a comment, or a description after two spaces. */
function ends(words: readonly string[]): number {
  const end = words.findIndex((word) => /^[|>&;#]/.test(word));
  return end === -1 ? words.length : end;
}

export function mentionsOf(markdown: string): readonly Mention[] {
  return codeOf(markdown).flatMap((code) => [...commandMentions(code), ...pathMentions(code)]);
}
