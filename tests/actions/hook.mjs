// Node 20 wants to be told that a .json file is JSON, and the packages import theirs without saying so.
import {register} from "node:module";

const loader = `export async function load(url, context, next) {
  return next(url, url.endsWith(".json") ? {...context, importAttributes: {type: "json"}} : context);
}`;
register("data:text/javascript," + encodeURIComponent(loader));
