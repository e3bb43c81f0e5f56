export function TextsView(host){host.textContent='';return{update(){},destroy(){}}}
