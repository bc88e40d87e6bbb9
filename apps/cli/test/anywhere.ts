/** Calls the command line as if on another system, once for each list of words. Usage: anywhere.ts PLATFORM JSON */
const [platform = "", calls = "[]"] = process.argv.slice(2);
Object.defineProperty(process, "platform", { value: platform });
for (const own of ["getuid", "geteuid", "getgid", "getegid", "getgroups"])
  Reflect.deleteProperty(process, own);

const { call } = await import("./call.ts");
const called = [];
for (const words of JSON.parse(calls) as readonly (readonly string[])[])
  called.push(await call(words));
process.stdout.write(JSON.stringify(called));
