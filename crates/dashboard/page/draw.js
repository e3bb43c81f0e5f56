export function DrawView(host){host.textContent='';return{update(){},destroy(){}}}
