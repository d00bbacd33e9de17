// The pages import the library by the path of its file, as browsers do; its types are in the package.
declare module "*/lightweight-charts.standalone.production.mjs" {
  export * from "lightweight-charts";
}
