// The page at "/": what this is, what the caller may call, and how. Readable in a browser and with curl.
#include <glasscase/core/bytes.h>
#include <glasscase/crypto/sha256.h>

#include "handlers.h"

namespace glasscase::http {
namespace {

constexpr std::string_view kStyle = R"(
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2733;background:#fbfcfd}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}
pre{background:#eef2f6;padding:.8rem;border-radius:.4rem;overflow-x:auto;font-size:.8rem}
input{font:inherit;padding:.4rem .6rem;width:24rem;max-width:100%;border:1px solid #aab6c2;border-radius:.3rem}
button{font:inherit;padding:.4rem .9rem;border:0;border-radius:.3rem;background:#1f5f8b;color:#fff;cursor:pointer}
table{border-collapse:collapse;margin-top:1rem}td,th{text-align:left;padding:.25rem 1rem .25rem 0;vertical-align:top}
.quiet{color:#5b6b7a}.error{color:#a02020})";

constexpr std::string_view kScript = R"(
const out=document.getElementById('out');
function cell(row,text,tag){const c=document.createElement(tag||'td');c.textContent=text;row.appendChild(c);}
document.getElementById('form').addEventListener('submit',async event=>{
 event.preventDefault();out.textContent='';
 const token=document.getElementById('token').value.trim();
 const headers={Authorization:'Bearer '+token};
 const answer=await fetch('/v2/repository/index',{method:'POST',headers,body:'{}'});
 const body=await answer.json();
 if(!answer.ok){const p=document.createElement('p');p.className='error';p.textContent=body.error;out.appendChild(p);return;}
 if(body.length===0){out.textContent='Nothing is granted to you yet: ask the owner of a model.';return;}
 const table=document.createElement('table');const head=document.createElement('tr');
 for(const t of ['model','version','inputs','outputs'])cell(head,t,'th');table.appendChild(head);
 for(const model of body){
  const meta=await(await fetch('/v2/models/'+encodeURIComponent(model.name)+'/versions/'+encodeURIComponent(model.version),{headers})).json();
  const row=document.createElement('tr');cell(row,model.name);cell(row,model.version);
  for(const side of ['inputs','outputs'])cell(row,(meta[side]||[]).map(t=>t.name+' '+t.datatype+' ['+t.shape+']').join(', '));
  table.appendChild(row);}
 out.appendChild(table);
});)";

constexpr std::string_view kBody = R"html(<h1>Glasscase</h1>
<p class="quiet">Models are shared here without being given away: you call them, and the weights stay in the case.</p>
<h2>What may I call?</h2>
<form id="form"><input id="token" type="password" autocomplete="off" placeholder="gct_&hellip; (your token)" aria-label="token">
<button>Show</button></form><div id="out"></div>
<h2>How do I call it?</h2>
<p>With the Open Inference Protocol v2, from anything that speaks HTTP. The token goes into one header:</p>
<pre>curl -X POST -H "Authorization: Bearer $GLASSCASE_TOKEN" -d '{}' URL/v2/repository/index
curl -H "Authorization: Bearer $GLASSCASE_TOKEN" URL/v2/models/NAME
curl -H "Authorization: Bearer $GLASSCASE_TOKEN" URL/v2/models/NAME/infer \
     -d '{"inputs":[{"name":"X","datatype":"FP32","shape":[1,64],"data":[0,0,5,13,&hellip;]}]}'</pre>
<p>or with <code>glasscase call NAME --input FILE.json</code>, or with an unmodified <code>tritonclient</code>.</p>
<p>No token yet? The owner of a model sends an invitation; <code>glasscase login</code> redeems it.</p>
)html";

std::string SourceHash(std::string_view text) { return "'sha256-" + ToBase64(Sha256(AsBytes(text))) + "'"; }

std::string SecurityFields() {
  return "Content-Security-Policy: default-src 'none'; connect-src 'self'; form-action 'none'; base-uri "
         "'none'; "
         "frame-ancestors 'none'; style-src " +
         SourceHash(kStyle) + "; script-src " + SourceHash(kScript) + "\r\nReferrer-Policy: no-referrer\r\n";
}

void AppendHtml(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
}

// For callers that sent their token along: the list itself.
std::string ModelsOfCaller(Connection& connection) {
  if (!connection.caller().known()) return {};
  std::string html = "<h2>What you may call</h2><ul>";
  for (const access::ModelRow* model :
       connection.gateway().custodian.table().ModelsOf(connection.caller().subject->id)) {
    html += "<li>";
    AppendHtml(html, model->owner_name + "/" + model->name);
    html += "</li>";
  }
  return html + "</ul>\n";
}

}  // namespace

void ServePage(Connection& connection) {
  static const std::string fields = SecurityFields();
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Glasscase</title>"
      "<meta name=\"viewport\" content=\"width=device-width\"><style>";
  html += kStyle;
  html += "</style></head><body>";
  html += kBody;
  html += ModelsOfCaller(connection);
  html += "<script>";
  html += kScript;
  html += "</script></body></html>\n";
  connection.Reply(200, "text/html; charset=utf-8", html, fields);
}

}  // namespace glasscase::http
