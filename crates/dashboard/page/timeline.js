export function TimelineView(host){host.textContent='';return{update(){},destroy(){}}}
