export function ConfusionView(host){host.textContent='';return{update(){},destroy(){}}}
